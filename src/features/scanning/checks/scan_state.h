// What the checks of one scan share.
#pragma once

#include <string>
#include <string_view>

#include "features/scanning/scan.h"
#include "formats/mime/message.h"

namespace mailhold::scanning {

struct Scan {
  const ScanRequest& request;
  Answers& answers;
  const Deadline& deadline;
  const Limits& limits;
  mime::Message message{};
  ScanResult result{};

  std::string_view bytes() const { return request.content; }

  // Each code once, at most 64.
  void reason(std::string_view code, std::string_view text);
  void unscannable(std::string_view code, std::string_view text) {
    result.findings.unscannable = true;
    reason(code, text);
  }
};

}  // namespace mailhold::scanning
