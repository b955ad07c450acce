// Changes to the decoded text of a body, as splices of its encoded bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "formats/mail/splice.h"
#include "formats/mime/message.h"

namespace mailhold::mail {

// Replaces `length` bytes at `offset` of the decoded text. In order, not overlapping.
struct TextChange {
  std::size_t offset = 0;
  std::size_t length = 0;
  std::string text;
};

// identity: one splice for each change. quoted-printable: likewise, within the encoded text. base64: one splice for the whole
// body.
std::vector<Splice> splices_for(std::string_view body, std::size_t body_offset, mime::Encoding encoding,
                                const std::vector<TextChange>& changes);

}  // namespace mailhold::mail
