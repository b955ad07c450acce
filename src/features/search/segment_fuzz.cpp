#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "features/search/segment.h"
#include "fuzz_seeds.h"

using namespace mailhold;

namespace {

const Id segment = Id::from_bytes("segment-segment-");

search::Place place() {
  static const std::filesystem::path folder = [] {
    std::string made = "/tmp/segment-fuzz-XXXXXX";
    if (::mkdtemp(made.data()) == nullptr) std::abort();
    return std::filesystem::path(made);
  }();
  return {"eu", Id::from_bytes("tenant-tenant-00"), 1, SecretText::copy_of(std::string(32, 'k')), folder};
}

std::filesystem::path path() { return place().folder / (segment.text() + ".segment"); }

std::string whole_segment() {
  auto table = search::WordTable::make();
  search::Document document;
  document.message = Id::random();
  document.texts.body = "a word";
  if (!table || !table->add(document) || !table->write(place(), segment)) std::abort();
  std::ifstream file(path(), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::vector<std::string> fuzz_seeds() { return {"", std::string(1, 1) + std::string(40, 'x'), whole_segment().substr(0, 200)}; }

// A segment with these bytes in front, or cut off where they end: it opens as it was written or not at all.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static const std::string whole = whole_segment();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string changed = whole;
  const bool cuts = !bytes.empty() && bytes[0] == 1;
  if (cuts)
    changed.resize(size * 41 % whole.size());
  else
    changed.replace(0, std::min(bytes.size(), whole.size()), bytes);
  std::ofstream(path(), std::ios::binary | std::ios::trunc) << changed;
  const auto opened = search::Segment::open(place(), segment);
  if (opened && changed != whole) std::abort();
  if (!opened && changed == whole) std::abort();
  return 0;
}
