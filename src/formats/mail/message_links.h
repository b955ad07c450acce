// Links of a message and their replacement: finds every http and https link in its HTML and plain text parts, and makes
// the splices that put others in their place, each in the part's own transfer encoding, so that all else stays byte for byte.
// Signed and encrypted parts are left alone: a changed byte would break them.
//
// What a link is: formats/html and formats/url. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "formats/mail/splice.h"
#include "formats/mime/message.h"

namespace mailhold::mail {

enum class LinksLeft : std::uint8_t {
  none,
  too_many,        // above links_max
  protected_part,  // S/MIME or PGP
  odd_charset,     // a charset that does not keep ASCII
  odd_encoding,    // bodies that cannot be decoded and encoded again without loss
};

struct MessageLink {
  std::size_t offset = 0;  // in the decoded text of its part
  std::size_t length = 0;
  char quote = 0;         // as in html::HtmlLink
  std::uint32_t url = 0;  // index into urls
};

struct PartLinks {
  std::uint32_t part = 0;
  bool html = false;
  std::vector<MessageLink> links;
};

struct MessageLinks {
  std::vector<std::string> urls;  // each once
  std::vector<PartLinks> parts;   // in the order of the message
  std::uint32_t count = 0;        // links found, with doubles
  bool ambiguous_html = false;
  std::vector<LinksLeft> left;  // why links were left out, each reason once
};

struct LinkLimits {
  std::size_t links_max = 2000;
  std::size_t text_bytes_max = 16u << 20;  // decoded, over all parts; more is left with too_many
};

MessageLinks find_links(std::string_view bytes, const mime::Message& message, const LinkLimits& limits = {});

// Splices that put replacements[i] for urls[i]; an empty replacement leaves its links. `links` must be of these bytes.
// Parts that grow beyond `bytes_max` altogether are left.
std::vector<Splice> replace_links(std::string_view bytes, const mime::Message& message, const MessageLinks& links,
                                  const std::vector<std::string>& replacements, std::size_t bytes_max);

// Whether the part is signed or encrypted, or lies inside of what is.
bool is_protected(std::string_view bytes, const mime::Message& message, std::size_t part);

}  // namespace mailhold::mail
