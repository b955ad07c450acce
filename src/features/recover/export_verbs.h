// What the command line asks of exports and imports: export.write, export.show, import.start. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "features/recover/exports.h"

namespace mailhold::recover {

class ExportVerbs {
 public:
  explicit ExportVerbs(Exports& exports) : exports_(exports) {}
  static bool knows(std::string_view verb);

  // A JSON object with "verb" gives one, or an error whose text is for the person who asked. `fds` came along with it: for
  // export.write the file, for import.start the channel.
  Result<std::string> answer(std::string_view json, std::vector<ipc::OwnedFd>& fds, const Deadline& deadline);

 private:
  Exports& exports_;
};

}  // namespace mailhold::recover
