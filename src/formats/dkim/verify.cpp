#include <map>
#include <optional>
#include <tuple>

#include "base/text.h"
#include "formats/dkim/canonical.h"
#include "formats/dkim/dkim.h"
#include "formats/dkim/key_record.h"
#include "formats/dkim/signature.h"
#include "platform/crypto/ed25519.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/rsa.h"

namespace mailhold::dkim {
namespace {

constexpr unsigned rsa_bits_min = 1024;  // RFC 8301 section 3.2
constexpr std::size_t key_records_max = 4;

std::vector<const HeaderField*> signature_fields(const MessageView& message, std::size_t count_max) {
  std::vector<const HeaderField*> fields;
  for (const HeaderField& field : message.fields) {
    if (fields.size() == count_max) break;
    if (equals_ignoring_case(field.name, "DKIM-Signature")) fields.push_back(&field);
  }
  return fields;
}

// Signatures of one message often share the form of the body: each form is hashed once.
class BodyHashes {
 public:
  explicit BodyHashes(std::string_view body) : body_(body) {}
  const BodyHash& of(const Signature& signature) {
    const Key key{signature.body_form, signature.body_length};
    const auto found = hashes_.find(key);
    if (found != hashes_.end()) return found->second;
    return hashes_.emplace(key, hash_body(body_, signature.body_form, signature.body_length)).first->second;
  }

 private:
  using Key = std::tuple<Canonical, std::optional<std::uint64_t>>;
  std::string_view body_;
  std::map<Key, BodyHash> hashes_;
};

class Verification {
 public:
  Verification(const MessageView& message, const dns::Lookup& lookup, const VerifyOptions& options)
      : message_(message), lookup_(lookup), options_(options), body_hashes_(message.body) {}

  SignatureResult verify(const HeaderField& field) {
    const Signature signature = parse_signature(field.value);
    SignatureResult result{.outcome = signature.outcome,
                           .problem = signature.problem,
                           .domain = signature.domain,
                           .selector = signature.selector,
                           .identity = signature.identity,
                           .algorithm = signature.algorithm,
                           .signature_start = signature.signature_start};
    if (signature.outcome != Outcome::none) return result;
    const auto refuse = [&](Outcome outcome, std::string problem) {
      result.outcome = outcome;
      result.problem = std::move(problem);
      return result;
    };
    if (is_expired(signature)) return refuse(Outcome::fail, "signature has expired");
    const dns::Answer answer = lookup_(key_question(signature));
    if (answer.is_temporary_failure()) return refuse(Outcome::temperror, "DNS did not answer for the key");
    if (answer.records.empty()) return refuse(Outcome::permerror, "no key");
    const Result<KeyRecord> key = first_usable(answer);
    if (!key) return refuse(Outcome::permerror, key.error().detail);
    result.testing = key->testing;
    if (key->is_ed25519 != (signature.algorithm == "ed25519-sha256"))
      return refuse(Outcome::permerror, "key of another algorithm");
    if (key->same_domain_only && !has_identity_of_its_domain(signature))
      return refuse(Outcome::permerror, "key does not allow i= below d=");
    return check_hashes(field, signature, *key, std::move(result));
  }

 private:
  bool is_expired(const Signature& signature) const {
    const auto now = options_.now.time_since_epoch().count();
    return signature.expires_at && now > 0 && *signature.expires_at < static_cast<std::uint64_t>(now);
  }

  // Several records at one selector are undefined (RFC 6376 section 3.6.2.2): the first that can be used counts.
  static Result<KeyRecord> first_usable(const dns::Answer& answer) {
    Result<KeyRecord> key = parse_key_record(answer.records[0].value);
    for (std::size_t index = 1; !key && index < std::min(answer.records.size(), key_records_max); ++index) {
      if (Result<KeyRecord> other = parse_key_record(answer.records[index].value)) key = std::move(other);
    }
    return key;
  }

  static bool has_identity_of_its_domain(const Signature& signature) {
    const std::string_view identity = signature.identity;
    return equals_ignoring_case(identity.substr(identity.rfind('@') + 1), signature.domain);
  }

  SignatureResult check_hashes(const HeaderField& field, const Signature& signature, const KeyRecord& key,
                               SignatureResult result) {
    const auto conclude = [&](Outcome outcome, const char* problem) {
      result.outcome = outcome;
      result.problem = problem;
      return result;
    };
    const BodyHash& body = body_hashes_.of(signature);
    if (signature.body_length.value_or(0) > body.canonical_bytes) return conclude(Outcome::fail, "body is shorter than l=");
    if (body.sha256 != signature.body_hash) return conclude(Outcome::fail, "body hash does not match");
    result.unsigned_body_bytes = body.canonical_bytes - signature.body_length.value_or(body.canonical_bytes);
    const std::string header =
        signed_header(message_, signature.field_names, signature.header_form, field.whole, signature.raw_b);
    if (key.is_ed25519) {  // RFC 8463 section 3: the hash is what is signed
      if (!crypto::ed25519_verify(key.public_key, crypto::sha256(header), signature.bytes))
        return conclude(Outcome::fail, "signature does not match");
    } else {
      const Result<crypto::RsaVerdict> verdict = crypto::verify_rsa_sha256(key.public_key, header, signature.bytes);
      if (!verdict) return conclude(Outcome::permerror, "key is malformed");
      if (verdict->bits < rsa_bits_min) return conclude(Outcome::policy, "RSA key of less than 1024 bits");
      if (!verdict->valid) return conclude(Outcome::fail, "signature does not match");
    }
    // What stands after l= could be anybody's (RFC 6376 section 8.2).
    if (result.unsigned_body_bytes > 0 && options_.partial_body == PartialBody::refused)
      return conclude(Outcome::policy, "part of the body is not signed");
    return conclude(Outcome::pass, "");
  }

  const MessageView& message_;
  const dns::Lookup& lookup_;
  const VerifyOptions& options_;
  BodyHashes body_hashes_;
};

}  // namespace

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::none: return "none";
    case Outcome::pass: return "pass";
    case Outcome::fail: return "fail";
    case Outcome::policy: return "policy";
    case Outcome::neutral: return "neutral";
    case Outcome::temperror: return "temperror";
    case Outcome::permerror: return "permerror";
  }
  return "none";
}

std::vector<SignatureResult> verify(const MessageView& message, const dns::Lookup& lookup, const VerifyOptions& options) {
  std::vector<SignatureResult> results;
  Verification verification(message, lookup, options);
  for (const HeaderField* field : signature_fields(message, options.signatures_max))
    results.push_back(verification.verify(*field));
  return results;
}

std::vector<dns::Question> key_questions(const MessageView& message, std::size_t signatures_max) {
  std::vector<dns::Question> questions;
  for (const HeaderField* field : signature_fields(message, signatures_max)) {
    const Signature signature = parse_signature(field->value);
    if (signature.outcome == Outcome::none) questions.push_back(key_question(signature));
  }
  return questions;
}

}  // namespace mailhold::dkim
