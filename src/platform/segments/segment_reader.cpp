#include "platform/segments/segment_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/log.h"
#include "platform/segments/record_format.h"

namespace mailhold::segments {

namespace fs = std::filesystem;

class OpenSegment {
 public:
  explicit OpenSegment(int file) : file_(file) {}
  ~OpenSegment() { ::close(file_); }
  OpenSegment(const OpenSegment&) = delete;
  OpenSegment& operator=(const OpenSegment&) = delete;

  // Fewer bytes at the end of the file.
  Result<std::string> read(std::uint64_t offset, std::size_t count) const {
    std::string bytes(count, '\0');
    std::size_t got = 0;
    while (got < count) {
      const ssize_t part = ::pread(file_, bytes.data() + got, count - got, static_cast<off_t>(offset + got));
      if (part < 0 && errno == EINTR) continue;
      if (part < 0) return Error{ErrorKind::unavailable, std::string("reading a segment: ") + std::strerror(errno)};
      if (part == 0) break;
      got += static_cast<std::size_t>(part);
    }
    bytes.resize(got);
    return bytes;
  }

 private:
  const int file_;
};

namespace {

constexpr std::size_t files_open_max = 8;
constexpr std::size_t window_bytes = 256U << 10;

// The part of a segment that was read last, so that many small records cost one read.
class Window {
 public:
  Window(const OpenSegment& segment, std::uint64_t limit) : segment_(segment), limit_(limit) {}

  // The bytes from offset on: `count` of them, or fewer where the file or the limit ends. Valid until the next call.
  Result<std::string_view> at(std::uint64_t offset, std::size_t count) {
    if (offset >= limit_) return std::string_view();
    count = static_cast<std::size_t>(std::min<std::uint64_t>(count, limit_ - offset));
    if (offset < begin_ || offset + count > begin_ + bytes_.size()) {
      const std::uint64_t wanted = std::min<std::uint64_t>(std::max(count, window_bytes), limit_ - offset);
      ASSIGN_OR_RETURN(bytes_, segment_.read(offset, static_cast<std::size_t>(wanted)));
      begin_ = offset;
    }
    return std::string_view(bytes_).substr(static_cast<std::size_t>(offset - begin_), count);
  }

 private:
  const OpenSegment& segment_;
  const std::uint64_t limit_;
  std::uint64_t begin_ = 0;
  std::string bytes_;
};

struct Look {
  ScanStop stop = ScanStop::visitor;  // `visitor` stands for "a whole record"
  HeaderFields fields;
  std::string_view payload;
};

Result<Look> look_at(Window& window, std::uint64_t segment, std::uint64_t offset, std::uint64_t file_bytes) {
  Look look;
  ASSIGN_OR_RETURN(const std::string_view header, window.at(offset, record_header_bytes));
  if (header.size() < record_header_bytes) {
    look.stop = ScanStop::end;
    return look;
  }
  const HeaderCheck check = read_header(header, look.fields);
  if (check != HeaderCheck::record) {
    look.stop = check == HeaderCheck::hole ? ScanStop::hole : ScanStop::torn;
    return look;
  }
  // A wrong length must not make us ask for memory that the file cannot fill.
  if (offset + record_header_bytes + look.fields.length > file_bytes) {
    look.stop = ScanStop::torn;
    return look;
  }
  ASSIGN_OR_RETURN(const std::string_view bytes, window.at(offset, record_header_bytes + look.fields.length));
  if (bytes.size() < record_header_bytes + look.fields.length) {
    look.stop = ScanStop::end;
    return look;
  }
  look.payload = bytes.substr(record_header_bytes);
  if (!checksum_holds(segment, offset, look.fields, look.payload)) look.stop = ScanStop::torn;
  return look;
}

Result<std::uint64_t> bytes_of_file(const fs::path& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) == 0) return static_cast<std::uint64_t>(about.st_size);
  return Error{errno == ENOENT ? ErrorKind::not_found : ErrorKind::unavailable, "segment: " + std::string(std::strerror(errno))};
}

}  // namespace

SegmentReader::SegmentReader(fs::path folder) : folder_(std::move(folder)) {}
SegmentReader::~SegmentReader() = default;

Result<std::vector<SegmentFile>> SegmentReader::list() const {
  std::vector<SegmentFile> files;
  std::error_code failure;
  for (fs::directory_iterator entry(folder_, failure), end; !failure && entry != end; entry.increment(failure)) {
    const std::string name = entry->path().filename().string();
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number, 16);
    if (parsed.ec != std::errc() || name != segment_file_name(number)) continue;
    Result<std::uint64_t> bytes = bytes_of_file(entry->path());
    if (bytes) files.push_back({number, *bytes});  // or removed a moment ago
  }
  if (failure) return Error{ErrorKind::unavailable, "listing segments: " + failure.message()};
  std::ranges::sort(files, {}, &SegmentFile::number);
  return files;
}

Result<std::vector<std::uint64_t>> SegmentReader::finished() const {
  ASSIGN_OR_RETURN(const std::vector<SegmentFile> files, list());
  std::vector<std::uint64_t> numbers;
  std::size_t newest_used = files.size();
  while (newest_used > 0) {
    Result<std::shared_ptr<OpenSegment>> segment = open(files[newest_used - 1].number);
    if (segment) {
      ASSIGN_OR_RETURN(const std::string header, (*segment)->read(0, record_header_bytes));
      HeaderFields fields;
      if (header.size() == record_header_bytes && read_header(header, fields) != HeaderCheck::hole) break;
    }
    --newest_used;
  }
  for (std::size_t i = 0; i + 1 < newest_used; ++i) numbers.push_back(files[i].number);
  return numbers;
}

Result<Record> SegmentReader::read(const Location& location) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<OpenSegment> segment, open(location.segment));
  ASSIGN_OR_RETURN(const std::uint64_t file_bytes, bytes_of_file(folder_ / segment_file_name(location.segment)));
  const Error wrong{ErrorKind::corrupt, "no such record in segment " + segment_file_name(location.segment) + " at " +
                                            std::to_string(location.offset)};
  if (location.offset > file_bytes || location.offset + record_header_bytes + location.length > file_bytes) return wrong;
  ASSIGN_OR_RETURN(std::string bytes, segment->read(location.offset, record_header_bytes + location.length));
  HeaderFields fields;
  if (bytes.size() != record_header_bytes + location.length || read_header(bytes, fields) != HeaderCheck::record ||
      fields.length != location.length ||
      !checksum_holds(location.segment, location.offset, fields, std::string_view(bytes).substr(record_header_bytes))) {
    return wrong;
  }
  bytes.erase(0, record_header_bytes);
  return Record{fields.type, std::move(bytes)};
}

Result<std::string> SegmentReader::read_damaged(const Location& location) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<OpenSegment> segment, open(location.segment));
  ASSIGN_OR_RETURN(std::string bytes, segment->read(location.offset + record_header_bytes, location.length));
  bytes.resize(location.length);
  return bytes;
}

Result<ScanEnd> SegmentReader::scan(Position from, const Visitor& visitor, std::uint64_t limit) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<OpenSegment> segment, open(from.segment));
  ASSIGN_OR_RETURN(const std::uint64_t file_bytes, bytes_of_file(folder_ / segment_file_name(from.segment)));
  Window window(*segment, std::min(limit, file_bytes));
  for (;;) {
    ASSIGN_OR_RETURN(const Look look, look_at(window, from.segment, from.offset, file_bytes));
    if (look.stop != ScanStop::visitor) return ScanEnd{from, look.stop};
    const Location location{from.segment, from.offset, look.fields.length, 0};
    const Visit visit = visitor(location, look.fields.type, look.payload);
    from = location.end();
    if (visit == Visit::stop) return ScanEnd{from, ScanStop::visitor};
  }
}

Result<ScanEnd> SegmentReader::scan_past_damage(Position from, const Visitor& visitor, Holes holes, std::uint64_t limit) const {
  Position looked_at_before{UINT64_MAX, 0};
  for (;;) {
    ASSIGN_OR_RETURN(const ScanEnd end, scan(from, visitor, limit));
    const bool is_gap = end.reason == ScanStop::torn || (end.reason == ScanStop::hole && holes == Holes::may_hide_more);
    if (!is_gap) return end;
    Result<Position> next = next_whole_record(end.next);
    if (!next || next->offset >= limit) return end;
    from = end.next;
    // The writer may have been at work on these bytes just now. What lies behind was written later: a second look decides.
    if (looked_at_before != end.next) {
      looked_at_before = end.next;
      continue;
    }
    log_error("segments", "damage in segment " + segment_file_name(end.next.segment) + " from byte " +
                              std::to_string(end.next.offset) + " to " + std::to_string(next->offset));
    from = *next;
  }
}

Result<Position> SegmentReader::next_whole_record(Position behind) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<OpenSegment> segment, open(behind.segment));
  ASSIGN_OR_RETURN(const std::uint64_t file_bytes, bytes_of_file(folder_ / segment_file_name(behind.segment)));
  Window window(*segment, file_bytes);
  const std::string magic = ByteWriter().u32(record_magic).take();
  for (std::uint64_t offset = (behind.offset / 8 + 1) * 8; offset + record_header_bytes <= file_bytes;) {
    ASSIGN_OR_RETURN(const std::string_view bytes, window.at(offset, window_bytes));
    std::size_t skip = 0;
    while (skip + magic.size() <= bytes.size() && bytes.compare(skip, magic.size(), magic) != 0) skip += 8;
    offset += skip;
    if (skip + magic.size() > bytes.size()) continue;
    ASSIGN_OR_RETURN(const Look look, look_at(window, behind.segment, offset, file_bytes));
    if (look.stop == ScanStop::visitor) return Position{behind.segment, offset};
    offset += 8;
  }
  return Error{ErrorKind::not_found, "no whole record behind the damage"};
}

Status SegmentReader::remove(std::uint64_t segment) {
  {
    const std::lock_guard lock(mutex_);
    open_.erase(segment);
  }
  if (::unlink((folder_ / segment_file_name(segment)).c_str()) == 0 || errno == ENOENT) return done();
  return Error{ErrorKind::unavailable, "removing segment " + segment_file_name(segment) + ": " + std::strerror(errno)};
}

Result<std::shared_ptr<OpenSegment>> SegmentReader::open(std::uint64_t segment) const {
  const std::lock_guard lock(mutex_);
  if (const auto found = open_.find(segment); found != open_.end()) return found->second;
  const int file = ::open((folder_ / segment_file_name(segment)).c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return Error{errno == ENOENT ? ErrorKind::not_found : ErrorKind::unavailable,
                 "opening segment " + segment_file_name(segment) + ": " + std::strerror(errno)};
  }
  if (open_.size() >= files_open_max) open_.erase(open_.begin());
  return open_[segment] = std::make_shared<OpenSegment>(file);
}

}  // namespace mailhold::segments
