#include "features/search/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/log.h"
#include "formats/sealed/padding.h"
#include "formats/sealed/sealed.h"

namespace mailhold::search {
namespace {

constexpr std::size_t journal_bytes_max = 256U << 20;

Error disk_error(const char* what) {
  return {ErrorKind::unavailable, std::string("index: ") + what + ": " + std::strerror(errno)};
}

sealed::Context record_context(const Place& place, Id journal, std::uint64_t number) {
  return place.context(sealed::Kind::index_journal, journal, 1, number);
}

Result<std::string> read_whole(int file) {
  std::string bytes;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t count = ::read(file, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return disk_error("reading the journal");
    if (count == 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(count));
    if (bytes.size() > journal_bytes_max) return Error{ErrorKind::corrupt, "index: a journal that is too long"};
  }
}

}  // namespace

Result<Journal> Journal::open(const Place& place, Id journal, const std::function<Status(Record, std::string_view)>& take) {
  const std::filesystem::path path = place.folder / (journal.text() + ".journal");
  ipc::OwnedFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.is_open()) return disk_error("opening the journal");
  Journal opened(place, journal, std::move(file));
  ASSIGN_OR_RETURN(const std::string bytes, read_whole(opened.file_.get()));
  ASSIGN_OR_RETURN(const std::uint64_t good, opened.replay(bytes, take));
  if (good < bytes.size()) {
    log_warning("search", "the last record of a journal of tenant " + place.tenant.text() + " is left out: it will come again");
    if (::ftruncate(opened.file_.get(), static_cast<off_t>(good)) != 0) return disk_error("cutting the journal");
  }
  if (::lseek(opened.file_.get(), static_cast<off_t>(good), SEEK_SET) < 0) return disk_error("the journal");
  return opened;
}

// How many bytes of it are whole records.
Result<std::uint64_t> Journal::replay(std::string_view bytes, const std::function<Status(Record, std::string_view)>& take) {
  std::uint64_t good = 0;
  while (good < bytes.size()) {
    ByteReader reader(bytes.substr(good));
    const std::string_view row = reader.text();
    if (!reader.ok()) return good;
    const bool is_last = reader.rest().empty();
    const Result<std::string> plaintext = sealed::open(place_->key.reveal(), record_context(*place_, id_, next_), row);
    if (!plaintext && is_last) return good;
    if (!plaintext) return Error{ErrorKind::corrupt, "a record of the index's journal does not open"};
    ByteReader inside(*plaintext);
    const auto record = static_cast<Record>(inside.u8());
    const std::string_view body = inside.text();
    if (!inside.ok() || (record != Record::batch && record != Record::forget))
      return Error{ErrorKind::corrupt, "a record of the index's journal of an unknown kind"};
    RETURN_IF_ERROR(take(record, body));
    ++next_;
    good = bytes.size() - reader.rest().size();
  }
  return good;
}

Status Journal::append(Record record, std::string_view body) {
  if (failed_) return Error{ErrorKind::unavailable, "index: the journal failed before"};
  std::string plaintext = ByteWriter().u8(static_cast<std::uint8_t>(record)).text(body).take();
  plaintext.resize(sealed::padded_length(plaintext.size()), '\0');
  const std::string row = sealed::seal(place_->key.reveal(), record_context(*place_, id_, next_), plaintext);
  Status written = write_all(file_.get(), ByteWriter().text(row).view());
  if (written && ::fdatasync(file_.get()) != 0) written = disk_error("flushing the journal");
  failed_ = !written;
  if (written) ++next_;
  return written;
}

}  // namespace mailhold::search
