// What a fuzzer starts from; to be included by *_fuzz.cpp alone. A fuzzer defines
//   fuzz_seeds   whole values, made by the encoders of its own room where it has some, so that they never grow stale; written
//                into the corpus folder that the fuzzer is started with
//   fuzz_words   what the format is made of, for those that are text; need not be defined
// Seldom does libFuzzer by itself cut an input off at one certain place, where a read behind the end would show, or write a
// word of the format: here every eighth change does the one, every eighth the other.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

std::vector<std::string> fuzz_seeds();
__attribute__((weak)) std::vector<std::string> fuzz_words();

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

extern "C" inline __attribute__((used)) int LLVMFuzzerInitialize(int* count, char*** words) {
  for (int i = 1; i < *count; ++i) {
    const std::filesystem::path folder((*words)[i]);
    if (!std::filesystem::is_directory(folder)) continue;
    int number = 0;
    for (const std::string& seed : fuzz_seeds())
      std::ofstream(folder / ("seed-" + std::to_string(number++)), std::ios::binary | std::ios::trunc) << seed;
    break;
  }
  return 0;
}

extern "C" inline __attribute__((used)) std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                                                            std::size_t size_max, unsigned seed) {
  static const std::vector<std::string> words = fuzz_words != nullptr ? fuzz_words() : std::vector<std::string>();
  std::minstd_rand random(seed);
  const auto below = [&](std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random); };
  const std::size_t way = below(8);
  if (way == 0 && size > 1) return 1 + below(size - 1);
  if (way == 1 && !words.empty()) {
    const std::string& word = words[below(words.size())];
    const std::size_t at = below(size + 1);
    if (size + word.size() <= size_max) {
      std::copy_backward(data + at, data + size, data + size + word.size());
      std::copy(word.begin(), word.end(), data + at);
      return size + word.size();
    }
  }
  return LLVMFuzzerMutate(data, size, size_max);
}
