#include <algorithm>

#include "base/text.h"
#include "formats/dkim/canonical.h"
#include "formats/dkim/dkim.h"
#include "platform/crypto/ed25519.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/rsa.h"

namespace mailhold::dkim {
namespace {

// RFC 6376 section 5.4.1, those that say what a reader sees or where an answer goes.
constexpr std::string_view usual_names[] = {"from",
                                            "reply-to",
                                            "subject",
                                            "date",
                                            "to",
                                            "cc",
                                            "message-id",
                                            "in-reply-to",
                                            "references",
                                            "mime-version",
                                            "content-type",
                                            "content-transfer-encoding",
                                            "list-id",
                                            "list-unsubscribe",
                                            "list-unsubscribe-post"};

std::vector<std::string> names_to_sign(const MessageView& message, const SigningRequest& request) {
  std::vector<std::string> names;
  for (const std::string& name : request.field_names) names.push_back(to_lower(name));
  if (!names.empty()) return names;
  for (const HeaderField& field : message.fields) {
    const std::string name = to_lower(field.name);
    if (std::find(std::begin(usual_names), std::end(usual_names), name) != std::end(usual_names)) names.push_back(name);
  }
  names.emplace_back("from");  // once more than there are: a second one would break the signature (section 8.15)
  return names;
}

std::string form_name(Canonical form) { return form == Canonical::simple ? "simple" : "relaxed"; }

// ":"-joined or plain text in lines of about 70 bytes; `at` are the bytes already on the line.
std::string folded(std::string_view text, std::size_t at, bool only_after_colons) {
  std::string lines;
  for (std::size_t index = 0; index < text.size(); ++index) {
    lines += text[index];
    if (++at >= 70 && index + 1 < text.size() && (!only_after_colons || text[index] == ':')) {
      lines += "\r\n\t";
      at = 8;
    }
  }
  return lines;
}

std::string field_without_b(const SigningRequest& request, const std::vector<std::string>& names, const std::string& body_hash) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ":") + name;
  std::string field = "DKIM-Signature: v=1; a=";
  field += request.algorithm == Algorithm::rsa_sha256 ? "rsa-sha256" : "ed25519-sha256";
  field += "; c=" + form_name(request.header_form) + "/" + form_name(request.body_form) + ";\r\n\td=" + request.domain +
           "; s=" + request.selector + ";";
  if (request.signed_at.time_since_epoch().count() > 0)
    field += " t=" + std::to_string(request.signed_at.time_since_epoch().count()) + ";";
  field += "\r\n\th=" + folded(list, 10, true) + ";\r\n\tbh=" + to_base64(body_hash) + ";\r\n\tb=";
  return field;
}

Result<std::string> signature_bytes(const SigningRequest& request, const std::string& header) {
  if (request.algorithm == Algorithm::rsa_sha256) {
    ASSIGN_OR_RETURN(const crypto::RsaPrivateKey key, crypto::RsaPrivateKey::from_pem(request.private_key.reveal()));
    return key.sign_sha256(header);
  }
  ASSIGN_OR_RETURN(const crypto::Ed25519Signer key, crypto::Ed25519Signer::from_seed(request.private_key.reveal()));
  return key.sign(crypto::sha256(header));
}

}  // namespace

Result<std::string> sign(const MessageView& message, const SigningRequest& request) {
  const std::vector<std::string> names = names_to_sign(message, request);
  const bool has_from = std::any_of(message.fields.begin(), message.fields.end(),
                                    [](const HeaderField& field) { return equals_ignoring_case(field.name, "From"); });
  if (!has_from || std::find(names.begin(), names.end(), "from") == names.end())
    return Error{.kind = ErrorKind::invalid_input, .detail = "no From to sign"};
  if (dns::normal_name(request.domain) != request.domain || dns::normal_name(request.selector) != request.selector) {
    return Error{.kind = ErrorKind::invalid_input, .detail = "domain and selector must be lower-case names"};
  }
  std::string field = field_without_b(request, names, hash_body(message.body, request.body_form, std::nullopt).sha256);
  ASSIGN_OR_RETURN(const std::string bytes,
                   signature_bytes(request, signed_header(message, names, request.header_form, field, {})));
  return field + folded(to_base64(bytes), 10, false) + "\r\n";
}

}  // namespace mailhold::dkim
