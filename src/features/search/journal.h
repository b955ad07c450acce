// Journal: documents that lie in no segment yet, durable as soon as they are acknowledged. Internal to this room.
//
// Design: docs/formats/search.md
#pragma once

#include <functional>

#include "features/search/sealed_file.h"
#include "features/search/search_messages.h"

namespace mailhold::search {

class Journal {
 public:
  enum class Record : std::uint8_t { batch = 1, forget = 2 };

  // Makes it if there is none; else calls `take` for each record, and drops a last one that does not open. corrupt: another
  // does not open, or `take` refuses one.
  static Result<Journal> open(const Place& place, Id journal, const std::function<Status(Record, std::string_view)>& take);

  // Durable when this returns. After an error nothing more can be appended.
  Status append(Record record, std::string_view body);
  Id id() const { return id_; }

 private:
  Journal(const Place& place, Id journal, ipc::OwnedFd file) : place_(&place), id_(journal), file_(std::move(file)) {}
  Result<std::uint64_t> replay(std::string_view bytes, const std::function<Status(Record, std::string_view)>& take);

  const Place* place_;
  Id id_;
  ipc::OwnedFd file_;
  std::uint64_t next_ = 1;
  bool failed_ = false;
};

}  // namespace mailhold::search
