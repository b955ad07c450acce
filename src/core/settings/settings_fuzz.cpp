// The settings file, whatever its bytes: refused with a place, or names and values of one line.
#include <cstdint>
#include <cstdlib>

#include "core/settings/settings_file.h"
#include "fuzz_seeds.h"

std::vector<std::string> fuzz_seeds() {
  return {
      "# all kinds of values\n[gateway]\nsmtp = \"127.0.0.1:25\"\nworkers = 4\nproxy = true\nnetworks = [\"10.0.0.0/8\", "
      "\"::1/128\"]\n"
      "[links]\nbase = 'https://links.example'\n"};
}

std::vector<std::string> fuzz_words() { return {"[", "]", "\"", "'", "=", "\n", "#", ".", "{", "}", ",", "\"\"\"", "true", "1"}; }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto values = mailhold::read_toml({reinterpret_cast<const char*>(data), size}, "mailhold.toml");
  if (!values) {
    if (!values.error().detail.starts_with("mailhold.toml:")) std::abort();
    return 0;
  }
  for (const auto& [name, value] : *values) {
    if (name.find('.') == std::string::npos) std::abort();
  }
  return 0;
}
