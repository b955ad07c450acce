#include "features/links/link_token.h"

#include "base/bytes.h"
#include "base/text.h"
#include "formats/sealed/sealed.h"
#include "platform/crypto/hash.h"

namespace mailhold::links {
namespace {

constexpr std::uint8_t token_format = 1;
constexpr std::size_t clear_bytes = 1 + Id::size + 4;

enum class Field : std::uint16_t { link = 1, continuation = 2 };

Error not_ours() { return {ErrorKind::denied, "not a link of ours"}; }

struct ClearPart {
  Id tenant;
  std::uint32_t key_version = 0;
};

sealed::Context context_of(const ClearPart& clear, Field field, std::string extra = {}) {
  sealed::Context context;
  context.tenant = clear.tenant;
  context.kind = sealed::Kind::link_token;
  context.object_id = "link";
  context.field = static_cast<std::uint16_t>(field);
  context.version = 1;
  context.key_version = clear.key_version;
  context.extra = std::move(extra);
  return context;
}

struct TokenParts {
  ClearPart clear;
  std::string sealed;
};

std::optional<TokenParts> parts_of(std::string_view text) {
  if (text.size() > token_text_bytes_max) return std::nullopt;
  const std::optional<std::string> bytes = from_base64url(text);
  if (!bytes || bytes->size() <= clear_bytes) return std::nullopt;
  ByteReader reader(*bytes);
  if (reader.u8() != token_format) return std::nullopt;
  TokenParts parts;
  parts.clear.tenant = Id::from_bytes(reader.raw(Id::size));
  parts.clear.key_version = reader.u32();
  parts.sealed = reader.rest();
  return parts;
}

// Of the key's failures only those that pass are told apart: a tenant or version that is not there is a forgery.
Error as_refusal(const Error& error) { return error.is_temporary() ? error : not_ours(); }

Result<LinkKey> key_for(const ClearPart& clear, const LinkKeySource& keys, const Deadline& deadline) {
  Result<LinkKey> key = keys(clear.tenant, clear.key_version, deadline);
  if (!key) return as_refusal(key.error());
  if (key->version != clear.key_version) return not_ours();
  return key;
}

std::string continuation_extra(std::uint64_t expires_at, std::string_view token_text) {
  return crypto::sha256(ByteWriter().u64(expires_at).raw(token_text).view());
}

}  // namespace

std::optional<Id> tenant_named_in(std::string_view text) {
  const std::optional<TokenParts> parts = parts_of(text);
  if (!parts) return std::nullopt;
  return parts->clear.tenant;
}

Result<std::string> seal_token(const LinkToken& token, const LinkKey& key) {
  if (token.url.empty()) return Error{ErrorKind::invalid_input, "no URL to seal"};
  if (token.url.size() > token_url_bytes_max) return Error{ErrorKind::limit_exceeded, "URL is too long for a token"};
  ByteWriter plaintext;
  plaintext.u64(static_cast<std::uint64_t>(token.wrapped_at)).raw(token.message.bytes()).raw(token.url);
  const ClearPart clear{token.tenant, key.version};
  ByteWriter out;
  out.u8(token_format).raw(clear.tenant.bytes()).u32(clear.key_version);
  out.raw(sealed::seal_compact(key.key.reveal(), context_of(clear, Field::link), plaintext.view()));
  return to_base64url(out.view());
}

Result<LinkToken> open_token(std::string_view text, const LinkKeySource& keys, const Deadline& deadline) {
  const std::optional<TokenParts> parts = parts_of(text);
  if (!parts) return not_ours();
  ASSIGN_OR_RETURN(const LinkKey key, key_for(parts->clear, keys, deadline));
  const Result<std::string> plaintext =
      sealed::open_compact(key.key.reveal(), context_of(parts->clear, Field::link), parts->sealed);
  if (!plaintext) return not_ours();
  ByteReader reader(*plaintext);
  LinkToken token;
  token.tenant = parts->clear.tenant;
  token.wrapped_at = static_cast<Milliseconds>(reader.u64());
  token.message = Id::from_bytes(reader.raw(Id::size));
  token.url = reader.rest();
  if (!reader.ok() || token.url.empty() || token.url.size() > token_url_bytes_max) return not_ours();
  return token;
}

Result<std::string> seal_continuation(std::string_view token_text, Milliseconds expires_at, const LinkKeySource& keys,
                                      const Deadline& deadline) {
  const std::optional<TokenParts> parts = parts_of(token_text);
  if (!parts) return not_ours();
  ASSIGN_OR_RETURN(const LinkKey key, key_for(parts->clear, keys, deadline));
  const auto until = static_cast<std::uint64_t>(expires_at);
  const sealed::Context context = context_of(parts->clear, Field::continuation, continuation_extra(until, token_text));
  return to_base64url(ByteWriter().u64(until).raw(sealed::seal_compact(key.key.reveal(), context, {})).view());
}

Status check_continuation(std::string_view proof, std::string_view token_text, Milliseconds now, const LinkKeySource& keys,
                          const Deadline& deadline) {
  const std::optional<TokenParts> parts = parts_of(token_text);
  const std::optional<std::string> bytes = proof.size() <= 256 ? from_base64url(proof) : std::nullopt;
  if (!parts || !bytes || bytes->size() <= 8) return not_ours();
  ByteReader reader(*bytes);
  const std::uint64_t until = reader.u64();
  if (now < 0 || static_cast<std::uint64_t>(now) > until) return not_ours();
  ASSIGN_OR_RETURN(const LinkKey key, key_for(parts->clear, keys, deadline));
  const sealed::Context context = context_of(parts->clear, Field::continuation, continuation_extra(until, token_text));
  if (!sealed::open_compact(key.key.reveal(), context, reader.rest())) return not_ours();
  return done();
}

}  // namespace mailhold::links
