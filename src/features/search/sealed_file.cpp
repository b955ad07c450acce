#include "features/search/sealed_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "formats/sealed/padding.h"
#include "formats/sealed/sealed.h"

namespace mailhold::search {
namespace {

Error disk_error(const std::string& what) {
  return {errno == ENOENT ? ErrorKind::not_found : ErrorKind::unavailable, "index: " + what + ": " + std::strerror(errno)};
}

Error broken(Id segment) { return {ErrorKind::corrupt, "segment " + segment.text() + " of the index does not open"}; }

Status read_at(int file, std::uint64_t place, std::size_t count, std::string& out) {
  out.resize(count);
  for (std::size_t got = 0; got < count;) {
    const ssize_t more = ::pread(file, out.data() + got, count - got, static_cast<off_t>(place + got));
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return disk_error("reading");
    if (more == 0) return Error{ErrorKind::corrupt, "index: a file ends too early"};
    got += static_cast<std::size_t>(more);
  }
  return done();
}

std::filesystem::path path_of(const Place& place, Id segment) { return place.folder / (segment.text() + ".segment"); }

sealed::Context segment_context(const Place& place, Id segment) {
  return place.context(sealed::Kind::index_segment, segment, 1, 1);
}

}  // namespace

sealed::Context Place::context(sealed::Kind kind, Id object, std::uint16_t field, std::uint64_t version) const {
  sealed::Context context;
  context.region = region;
  context.tenant = tenant;
  context.kind = kind;
  context.object_id = std::string(object.bytes());
  context.field = field;
  context.version = version;
  context.key_id = tenant;
  context.key_version = key_version;
  return context;
}

Status write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return disk_error("writing");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return done();
}

Status write_durably(const std::filesystem::path& path, const std::function<Status(int file)>& write) {
  const std::filesystem::path beside = path.string() + ".new";
  {
    const ipc::OwnedFd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.is_open()) return disk_error("making a file");
    Status written = write(file.get());
    if (written && ::fdatasync(file.get()) != 0) written = disk_error("flushing");
    if (!written) {
      ::unlink(beside.c_str());
      return written;
    }
  }
  if (::rename(beside.c_str(), path.c_str()) != 0) return disk_error("renaming");
  const ipc::OwnedFd folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open() || ::fsync(folder.get()) != 0) return disk_error("flushing the folder");
  return done();
}

Status SealedFile::write(const Place& place, Id segment, std::string_view pages) {
  // A whole number of pages, so that the last chunk of the row is empty: its tag alone marks the end.
  const std::size_t count = sealed::padded_length(pages.size() / page_bytes);
  return write_durably(path_of(place, segment), [&](int file) -> Status {
    sealed::ChunkWriter writer(place.key.reveal(), segment_context(place, segment));
    RETURN_IF_ERROR(write_all(file, writer.head()));
    const std::string empty(page_bytes, '\0');
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view page = i * page_bytes < pages.size() ? pages.substr(i * page_bytes, page_bytes) : empty;
      RETURN_IF_ERROR(write_all(file, writer.seal_next(page)));
    }
    return write_all(file, writer.seal_next({}));
  });
}

Result<std::unique_ptr<SealedFile>> SealedFile::open(const Place& place, Id segment) {
  ipc::OwnedFd file(::open(path_of(place, segment).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return disk_error("segment " + segment.text());
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return disk_error("segment " + segment.text());
  const auto size = static_cast<std::uint64_t>(status.st_size);
  std::string head;
  if (size < sealed::row_prefix_size) return broken(segment);
  RETURN_IF_ERROR(read_at(file.get(), 0, sealed::row_prefix_size, head));
  auto reader = sealed::ChunkReader::begin(place.key.reveal(), segment_context(place, segment), head, size);
  if (!reader || reader->plaintext_bytes() == 0 || reader->plaintext_bytes() % page_bytes != 0) return broken(segment);
  std::unique_ptr<SealedFile> opened(new SealedFile(std::move(file), std::move(*reader)));
  if (!opened->page(opened->reader_.chunks() - 1)) return broken(segment);  // the mark of the end
  return opened;
}

Result<std::string_view> SealedFile::page(std::uint64_t index) {
  if (index == at_) return std::string_view(page_);
  at_ = ~std::uint64_t{0};
  if (index >= reader_.chunks()) return Error{ErrorKind::corrupt, "index: a page behind the end"};
  RETURN_IF_ERROR(read_at(file_.get(), reader_.place_of(index), reader_.sealed_size_of(index), sealed_));
  page_.resize(sealed_.size() - sealed::tag_size);
  RETURN_IF_ERROR(reader_.open(index, sealed_, page_.data()));
  at_ = index;
  return std::string_view(page_);
}

}  // namespace mailhold::search
