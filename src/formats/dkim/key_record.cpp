#include "formats/dkim/key_record.h"

#include <algorithm>

#include "base/text.h"
#include "formats/dkim/tag_list.h"

namespace mailhold::dkim {
namespace {

Error unusable(const char* phrase) { return {.kind = ErrorKind::invalid_input, .detail = phrase}; }

// Whether a colon-separated list holds one of the words; an absent tag holds none.
bool lists(const TagList& tags, std::string_view tag, std::initializer_list<std::string_view> words) {
  const auto value = tags.value(tag);
  if (!value) return false;
  for (std::string_view word : split(*value, ':')) {
    for (std::string_view wanted : words) {
      if (equals_ignoring_case(trim(word), wanted)) return true;
    }
  }
  return false;
}

}  // namespace

Result<KeyRecord> parse_key_record(std::string_view text) {
  const auto tags = TagList::parse(text);
  if (!tags) return unusable("key record is not a list of tags");
  const Tag* version = tags->find("v");
  if (version != nullptr && (version->value != "DKIM1" || version != &tags->tags().front()))
    return unusable("key record is not DKIM1");
  if (tags->find("h") != nullptr && !lists(*tags, "h", {"sha256"})) return unusable("key does not allow sha256");
  if (tags->find("s") != nullptr && !lists(*tags, "s", {"*", "email"})) return unusable("key is not for mail");
  KeyRecord record;
  const std::string kind = to_lower(tags->value("k").value_or("rsa"));
  if (kind != "rsa" && kind != "ed25519") return unusable("key of unknown kind");
  record.is_ed25519 = kind == "ed25519";
  const auto key = tags->value("p");
  if (!key) return unusable("key record without key");
  if (key->empty()) return unusable("key is revoked");
  const auto bytes = from_base64(without_white_space(*key));
  if (!bytes || (record.is_ed25519 && bytes->size() != 32)) return unusable("key is malformed");
  record.public_key = *bytes;
  record.testing = lists(*tags, "t", {"y"});
  record.same_domain_only = lists(*tags, "t", {"s"});
  return record;
}

}  // namespace mailhold::dkim
