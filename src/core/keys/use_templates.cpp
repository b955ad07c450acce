#include "core/keys/use_templates.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/text.h"
#include "formats/jwt/client_assertion.h"
#include "formats/sasl/scram.h"

namespace mailhold::keys {
namespace {

constexpr std::string_view smtp_plain = "smtp_plain";
constexpr std::string_view scram_sha_256 = "scram_sha_256";
constexpr std::string_view client_assertion = "client_assertion";
// No user name begins with a zero byte, so that neither kind can be taken for the other.
constexpr std::string_view client_key_head = std::string_view("\0mailhold-client-key-1", 22);
constexpr std::size_t client_key_bytes_max = 16 * 1024;
constexpr std::size_t text_bytes_max = 512;
constexpr std::int64_t assertion_seconds = 300;

bool is_client_key(std::string_view secret) { return secret.starts_with(client_key_head); }

// RFC 4616: authorisation identity (empty: the same as the user), user, password.
SecretText sasl_plain(std::string_view user_and_password) {
  SecretText message = SecretText::zeroed(user_and_password.size() + 1);
  user_and_password.copy(message.data() + 1, user_and_password.size());
  return message;
}

struct ClientKeyView {
  std::string_view client_id, audience, scope, certificate_sha256, private_key;
};

Result<ClientKeyView> read_client_key(std::string_view secret) {
  ByteReader reader(secret.substr(client_key_head.size()));
  ClientKeyView key{reader.text(), reader.text(), reader.text(), reader.text(), reader.text()};
  if (!reader.finish() || key.certificate_sha256.size() != 32)
    return Error{ErrorKind::corrupt, "a client key that cannot be read"};
  return key;
}

Result<SecretText> scram_proof(std::string_view secret, std::string_view fields) {
  const std::size_t separator = secret.find('\0');
  if (separator == std::string_view::npos) return Error{ErrorKind::corrupt, "no user and password"};
  const auto question = sasl::parse_scram_question(fields);
  if (!question) return Error{ErrorKind::invalid_input, "no question of SCRAM"};
  ASSIGN_OR_RETURN(const sasl::ScramAnswer answer,
                   sasl::answer_scram(secret.substr(0, separator), secret.substr(separator + 1), *question));
  return SecretText::take(encode(answer));
}

Error used_otherwise() { return {ErrorKind::denied, "this secret is not used in this way"}; }

bool is_printable(std::string_view text) {
  return text.size() <= text_bytes_max &&
         std::all_of(text.begin(), text.end(), [](char letter) { return letter > 0x20 && letter < 0x7f; });
}

}  // namespace

bool is_template(std::string_view name) { return name == smtp_plain || name == scram_sha_256 || name == client_assertion; }

bool needs_signer(std::string_view template_name) { return template_name == client_assertion; }

Result<SecretText> answer_template(const UseRequest& request, const SecretText& secret) {
  if (is_client_key(secret.reveal())) return used_otherwise();
  if (request.template_name == scram_sha_256) return scram_proof(secret.reveal(), request.fields);
  if (request.template_name == smtp_plain) return sasl_plain(secret.reveal());
  return used_otherwise();
}

Result<std::shared_ptr<const ClientSigner>> ClientSigner::open(const SecretText& secret) {
  if (!is_client_key(secret.reveal())) return used_otherwise();
  ASSIGN_OR_RETURN(const ClientKeyView key, read_client_key(secret.reveal()));
  ASSIGN_OR_RETURN(crypto::RsaPrivateKey numbers, crypto::RsaPrivateKey::from_components(key.private_key));
  return std::shared_ptr<const ClientSigner>(new ClientSigner(std::string(key.client_id), std::string(key.audience),
                                                              std::string(key.scope), std::string(key.certificate_sha256),
                                                              std::move(numbers)));
}

Result<SecretText> ClientSigner::assertion(std::string_view leaf_hash, Milliseconds now) const {
  jwt::ClientAssertion claims;
  claims.client_id = client_id_;
  claims.audience = audience_;
  claims.certificate_sha256 = certificate_sha256_;
  claims.id = to_base64url(leaf_hash);
  claims.issued_at = now / 1000;
  claims.expires_at = claims.issued_at + assertion_seconds;
  const std::string input = jwt::signing_input(claims);
  ASSIGN_OR_RETURN(const std::string signature, key_.sign_pss_sha256(input));
  // With what the client must say beside it: the token endpoint takes both or none.
  ByteWriter writer;
  writer.text(client_id_).text(audience_).text(scope_).text(input + "." + to_base64url(signature));
  return SecretText::take(writer.take());
}

Result<SecretText> encode_client_key(const ClientKey& key) {
  std::string_view scope = key.scope;
  if (key.client_id.empty() || !is_printable(key.client_id))
    return Error{ErrorKind::invalid_input, "the client id has odd letters"};
  if (!key.audience.starts_with("https://") || !is_printable(key.audience))
    return Error{ErrorKind::invalid_input, "the token endpoint must be an https URL"};
  if (scope.size() > text_bytes_max ||
      std::any_of(scope.begin(), scope.end(), [](char letter) { return letter < 0x20 || letter > 0x7e; }))
    return Error{ErrorKind::invalid_input, "the scope has odd letters"};
  if (key.certificate_sha256.size() != 32) return Error{ErrorKind::invalid_input, "the certificate's SHA-256 has 32 bytes"};
  ASSIGN_OR_RETURN(const crypto::RsaPrivateKey signer, crypto::RsaPrivateKey::from_pem(key.private_key.reveal()));
  if (signer.bits() < 2048) return Error{ErrorKind::invalid_input, "a client key has at least 2048 bits"};
  const SecretText numbers = signer.components();
  std::string text;
  text.reserve(client_key_bytes_max);  // one block, so that wiping it leaves no earlier copy
  ByteWriter fields;
  fields.text(key.client_id)
      .text(key.audience)
      .text(key.scope)
      .text(key.certificate_sha256)
      .u32(static_cast<std::uint32_t>(numbers.size()));
  text.append(client_key_head).append(fields.view()).append(numbers.reveal());
  return SecretText::take(std::move(text));
}

Status check_secret(std::string_view secret) {
  if (is_client_key(secret)) {
    const auto key = read_client_key(secret);
    if (!key || secret.size() > client_key_bytes_max) return Error{ErrorKind::invalid_input, "the box holds no client key"};
    ASSIGN_OR_RETURN(const crypto::RsaPrivateKey signer, crypto::RsaPrivateKey::from_components(key->private_key));
    RETURN_IF_ERROR(signer.sign_pss_sha256(secret));  // numbers that are no key fail here
    return done();
  }
  const std::size_t separator = secret.find('\0');
  if (separator == std::string_view::npos || !encode_password(secret.substr(0, separator), secret.substr(separator + 1)))
    return Error{ErrorKind::invalid_input, "the box holds no user name and password"};
  return done();
}

}  // namespace mailhold::keys
