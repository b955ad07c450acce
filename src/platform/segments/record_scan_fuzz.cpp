#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "fuzz_seeds.h"
#include "platform/segments/record_format.h"
#include "platform/segments/segment_reader.h"

namespace {

using namespace mailhold::segments;

constexpr std::uint64_t segment = 1;

// Gives every possible record its right checksum, so that what lies behind the checksum is tried too.
void make_checksums_right(std::string& bytes) {
  for (std::size_t offset = 0; offset + record_header_bytes <= bytes.size(); offset += 8) {
    HeaderFields fields;
    const std::string_view rest = std::string_view(bytes).substr(offset);
    if (read_header(rest, fields) != HeaderCheck::record || fields.length > rest.size() - record_header_bytes) continue;
    const RecordHeader header = make_header(segment, offset, fields.type, rest.substr(record_header_bytes, fields.length), {});
    std::copy(header.begin(), header.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  }
}

void scan_all(const SegmentReader& reader) {
  for (Position from{segment, 0};;) {
    const auto end = reader.scan(from, [&reader](const Location& location, std::uint16_t type, std::string_view payload) {
      const auto record = reader.read(location);
      if (!record || record->type != type || record->payload != payload) std::abort();
      return Visit::go_on;
    });
    if (!end || end->reason != ScanStop::torn) return;
    const auto next = reader.next_whole_record(end->next);
    if (!next) return;
    from = *next;
  }
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  std::string bytes;
  for (const std::string payload : {"first", "the second", ""}) {
    const RecordHeader header = make_header(segment, bytes.size(), 1, payload, {});
    bytes.append(header.data(), header.size()).append(payload);
    bytes.resize((bytes.size() + 7) / 8 * 8);
  }
  return {bytes, std::string(64, '\0') + bytes};
}

// A segment full of hostile bytes: scanning, reading and looking behind damage stay inside the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::filesystem::path folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "scan-fuzz-XXXXXX").string();
    return std::filesystem::path(::mkdtemp(pattern.data()));
  }();
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (size % 2 == 0) make_checksums_right(bytes);
  std::ofstream(folder / segment_file_name(segment), std::ios::binary | std::ios::trunc) << bytes;
  scan_all(SegmentReader(folder));
  return 0;
}
