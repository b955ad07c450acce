// VirusScanner: shows contents to clamd over one connection, as a session of INSTREAM commands (clamd(8)).
// Nothing is connected until the first content is shown; verdicts are read at the end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/deadline.h"
#include "features/scanning/scan.h"
#include "platform/net/stream.h"

namespace mailhold::scanning {

class VirusScanner {
 public:
  VirusScanner(Answers& answers, const Deadline& deadline) : answers_(answers), deadline_(deadline) {}
  ~VirusScanner();

  void show(std::string_view bytes);

  struct Verdict {
    std::string virus{};   // the first name found, letters of file names only
    bool missing = false;  // clamd was away or did not answer
    bool too_big = false;  // contents beyond clamd's own limit were not looked at
  };
  Verdict finish();

 private:
  bool connect();
  void fail() { failed_ = true; }
  Status read_verdicts(Verdict& verdict);

  Answers& answers_;
  const Deadline& deadline_;
  std::unique_ptr<net::Stream> stream_;
  std::uint32_t shown_ = 0;
  bool failed_ = false, too_big_ = false;
};

}  // namespace mailhold::scanning
