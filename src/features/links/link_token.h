// LinkToken: what a rewritten link carries, sealed for its tenant, so that no database
// is needed to follow it.
//
// Format: docs/formats/link-token.md
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/id.h"
#include "features/links/link_keys.h"

namespace mailhold::links {

struct LinkToken {
  Id tenant;
  Id message;
  Milliseconds wrapped_at = 0;
  std::string url;  // as Url::href() writes it, 1 to token_url_bytes_max bytes
};

inline constexpr std::size_t token_url_bytes_max = 8 * 1024;
inline constexpr std::size_t token_text_bytes_max = 12 * 1024;

// The tenant that a token names, before anything is proved; nothing if the text has not the shape of a token.
std::optional<Id> tenant_named_in(std::string_view text);

// base64url text. limit_exceeded when the URL is longer than token_url_bytes_max.
Result<std::string> seal_token(const LinkToken& token, const LinkKey& key);

// denied for every text that seal_token did not write with a key of the tenant that it names: one error for all
// of them. unavailable, timed_out: the key could not be had.
Result<LinkToken> open_token(std::string_view text, const LinkKeySource& keys, const Deadline&);

// Proof that the warning page of this token was shown: good until `expires_at`, for this token only.
Result<std::string> seal_continuation(std::string_view token_text, Milliseconds expires_at, const LinkKeySource& keys,
                                      const Deadline&);
// denied unless seal_continuation wrote it for this token and `now` is not after its time.
Status check_continuation(std::string_view proof, std::string_view token_text, Milliseconds now, const LinkKeySource& keys,
                          const Deadline&);

}  // namespace mailhold::links
