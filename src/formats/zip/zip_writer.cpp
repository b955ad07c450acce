#include "formats/zip/zip_writer.h"

#include <zlib.h>

#include <ctime>

namespace mailhold::zip {
namespace {

constexpr std::uint32_t local_header = 0x04034b50, data_descriptor = 0x08074b50, directory_entry = 0x02014b50,
                        directory_end = 0x06054b50, directory_end_64 = 0x06064b50, directory_locator_64 = 0x07064b50;
constexpr std::uint16_t version = 45;  // the first with ZIP64
constexpr std::uint16_t made_by_unix = 3 << 8 | version;
constexpr std::uint16_t flags = 1 << 3 | 1 << 11;
constexpr std::uint16_t deflated = 8;
constexpr std::uint32_t file_mode = 0100600U << 16;
constexpr std::uint32_t elsewhere_32 = 0xFFFFFFFF;  // the value stands in the ZIP64 field
constexpr std::uint16_t elsewhere_16 = 0xFFFF;
constexpr std::size_t chunk_bytes = 64U << 10;

// Everything in a ZIP is little-endian.
class Fields {
 public:
  Fields& u16(std::uint16_t value) { return little(value, 2); }
  Fields& u32(std::uint32_t value) { return little(value, 4); }
  Fields& u64(std::uint64_t value) { return little(value, 8); }
  Fields& raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  Fields& little(std::uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xFF);
    return *this;
  }
  std::string bytes_;
};

// Date and time as MS-DOS has them, in UTC: from 1980, in steps of two seconds.
std::uint32_t dos_time_of(Milliseconds at) {
  const std::time_t seconds = static_cast<std::time_t>(at / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  if (parts.tm_year < 80) return 1U << 21 | 1U << 16;
  const auto year = static_cast<std::uint32_t>(std::min(parts.tm_year - 80, 127));
  return year << 25 | static_cast<std::uint32_t>(parts.tm_mon + 1) << 21 | static_cast<std::uint32_t>(parts.tm_mday) << 16 |
         static_cast<std::uint32_t>(parts.tm_hour) << 11 | static_cast<std::uint32_t>(parts.tm_min) << 5 |
         static_cast<std::uint32_t>(parts.tm_sec / 2);
}

}  // namespace

struct ZipWriter::Deflater {
  z_stream stream{};
  std::string out = std::string(chunk_bytes, '\0');
  bool is_open = false;
  ~Deflater() { deflateEnd(&stream); }
};

ZipWriter::ZipWriter(Sink sink) : sink_(std::move(sink)), deflater_(std::make_unique<Deflater>()) {}
ZipWriter::~ZipWriter() = default;

Status ZipWriter::put(std::string_view bytes) {
  RETURN_IF_ERROR(sink_(bytes));
  position_ += bytes.size();
  return done();
}

Status ZipWriter::begin(std::string_view name, Milliseconds changed_at) {
  if (name.empty() || name.size() > name_bytes_max || entries_.size() == entries_max)
    return Error{ErrorKind::limit_exceeded, "a name or the number of files in a ZIP passes its limit"};
  if (deflater_->stream.state == nullptr) {
    // Raw deflate, without zlib's own header.
    if (deflateInit2(&deflater_->stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      return Error{ErrorKind::unavailable, "no memory to compress"};
  } else {
    deflateReset(&deflater_->stream);
  }
  Entry entry;
  entry.name = std::string(name);
  entry.dos_time = dos_time_of(changed_at);
  entry.crc = static_cast<std::uint32_t>(::crc32(0, nullptr, 0));
  entry.offset = position_;
  // Sizes follow behind the data; the empty ZIP64 field says that they have eight bytes there.
  const Fields header = Fields()
                            .u32(local_header)
                            .u16(version)
                            .u16(flags)
                            .u16(deflated)
                            .u32(entry.dos_time)
                            .u32(0)
                            .u32(elsewhere_32)
                            .u32(elsewhere_32)
                            .u16(static_cast<std::uint16_t>(name.size()))
                            .u16(20)
                            .raw(name)
                            .u16(1)
                            .u16(16)
                            .u64(0)
                            .u64(0);
  entries_.push_back(std::move(entry));
  deflater_->is_open = true;
  return put(header.bytes());
}

Status ZipWriter::deflate(std::string_view bytes, bool last) {
  z_stream& stream = deflater_->stream;
  Entry& entry = entries_.back();
  do {
    const std::string_view piece = bytes.substr(0, chunk_bytes);
    bytes.remove_prefix(piece.size());
    if (!piece.empty()) {  // without bytes it would begin anew
      entry.crc = static_cast<std::uint32_t>(
          ::crc32(entry.crc, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size())));
    }
    entry.bytes += piece.size();
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));  // zlib only reads it
    stream.avail_in = static_cast<uInt>(piece.size());
    const int flush = last && bytes.empty() ? Z_FINISH : Z_NO_FLUSH;
    do {
      stream.next_out = reinterpret_cast<Bytef*>(deflater_->out.data());
      stream.avail_out = static_cast<uInt>(deflater_->out.size());
      if (::deflate(&stream, flush) == Z_STREAM_ERROR) return Error{ErrorKind::bug, "zlib was asked for what it can't do"};
      const std::string_view made(deflater_->out.data(), deflater_->out.size() - stream.avail_out);
      entry.stored += made.size();
      if (!made.empty()) RETURN_IF_ERROR(put(made));
    } while (stream.avail_out == 0);
  } while (!bytes.empty());
  return done();
}

Status ZipWriter::write(std::string_view bytes) {
  if (!deflater_->is_open) return Error{ErrorKind::bug, "no entry of the ZIP is open"};
  return bytes.empty() ? done() : deflate(bytes, false);
}

Status ZipWriter::end() {
  if (!deflater_->is_open) return Error{ErrorKind::bug, "no entry of the ZIP is open"};
  RETURN_IF_ERROR(deflate({}, true));
  deflater_->is_open = false;
  const Entry& entry = entries_.back();
  return put(Fields().u32(data_descriptor).u32(entry.crc).u64(entry.stored).u64(entry.bytes).bytes());
}

Status ZipWriter::add(std::string_view name, Milliseconds changed_at, std::string_view bytes) {
  RETURN_IF_ERROR(begin(name, changed_at));
  RETURN_IF_ERROR(write(bytes));
  return end();
}

Status ZipWriter::write_directory_entry(const Entry& entry) {
  return put(Fields()
                 .u32(directory_entry)
                 .u16(made_by_unix)
                 .u16(version)
                 .u16(flags)
                 .u16(deflated)
                 .u32(entry.dos_time)
                 .u32(entry.crc)
                 .u32(elsewhere_32)
                 .u32(elsewhere_32)
                 .u16(static_cast<std::uint16_t>(entry.name.size()))
                 .u16(28)
                 .u16(0)
                 .u16(0)
                 .u16(0)
                 .u32(file_mode)
                 .u32(elsewhere_32)
                 .raw(entry.name)
                 .u16(1)
                 .u16(24)
                 .u64(entry.bytes)
                 .u64(entry.stored)
                 .u64(entry.offset)
                 .bytes());
}

Status ZipWriter::finish() {
  const std::uint64_t begin = position_;
  for (const Entry& entry : entries_) RETURN_IF_ERROR(write_directory_entry(entry));
  const std::uint64_t end = position_;
  RETURN_IF_ERROR(put(Fields()
                          .u32(directory_end_64)
                          .u64(44)
                          .u16(made_by_unix)
                          .u16(version)
                          .u32(0)
                          .u32(0)
                          .u64(entries_.size())
                          .u64(entries_.size())
                          .u64(end - begin)
                          .u64(begin)
                          .u32(directory_locator_64)
                          .u32(0)
                          .u64(end)
                          .u32(1)
                          .bytes()));
  return put(Fields()
                 .u32(directory_end)
                 .u16(0)
                 .u16(0)
                 .u16(elsewhere_16)
                 .u16(elsewhere_16)
                 .u32(elsewhere_32)
                 .u32(elsewhere_32)
                 .u16(0)
                 .bytes());
}

}  // namespace mailhold::zip
