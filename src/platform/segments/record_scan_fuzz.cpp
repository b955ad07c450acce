#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "platform/segments/segment_reader.h"

// A segment full of hostile bytes: scanning, reading and looking behind damage stay inside the file.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace mailhold::segments;
  static const std::filesystem::path folder = [] {
    std::string pattern = (std::filesystem::temp_directory_path() / "scan-fuzz-XXXXXX").string();
    return std::filesystem::path(::mkdtemp(pattern.data()));
  }();
  {
    std::ofstream file(folder / segment_file_name(1), std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  }
  const SegmentReader reader(folder);
  Position from{1, 0};
  for (;;) {
    const auto end = reader.scan(from, [&reader](const Location& location, std::uint16_t type, std::string_view payload) {
      const auto record = reader.read(location);
      if (!record || record->type != type || record->payload != payload) std::abort();
      return Visit::go_on;
    });
    if (!end || end->reason != ScanStop::torn) return 0;
    const auto next = reader.next_whole_record(end->next);
    if (!next) return 0;
    from = *next;
  }
}
