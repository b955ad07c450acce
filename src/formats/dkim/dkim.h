// DKIM: verify and make signatures over a message, RFC 6376 with RFC 8301 (no SHA-1, RSA of at least
// 1024 bits) and RFC 8463 (ed25519). Pure; works on the original bytes and copies no body.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/dns_answer.h"
#include "base/result.h"
#include "base/secret_text.h"

namespace mailhold::dkim {

// One header field as it stands in the message. All are views into the message.
struct HeaderField {
  std::string_view whole{};  // from the first byte of the name to before its last line ending
  std::string_view name{};   // without the colon and white space before it
  std::string_view value{};  // all after the colon, folding included
};

struct MessageView {
  std::vector<HeaderField> fields{};  // top to bottom
  std::string_view body{};            // after the empty line
};

// Splits at line endings (CRLF, or LF alone as readers of mail do). A line without a colon that continues nothing
// becomes a field with an empty name. At most `fields_max` fields; what is beyond is neither field nor body.
MessageView split_message(std::string_view message, std::size_t fields_max = 2000);

enum class Outcome { none, pass, fail, policy, neutral, temperror, permerror };
std::string_view name_of(Outcome outcome);  // as RFC 8601 section 2.7.1 spells it

enum class PartialBody { refused, accepted };  // l= that leaves bytes of this body unsigned: policy, or pass

struct VerifyOptions {
  std::chrono::sys_seconds now{};
  std::size_t signatures_max = 8;  // the others are not looked at
  PartialBody partial_body = PartialBody::refused;
};

struct SignatureResult {
  Outcome outcome = Outcome::none;
  std::string problem{};                  // why not pass; a fixed phrase, safe to log
  std::string domain{};                   // d=, lower case; empty if it could not be read
  std::string selector{};                 // s=
  std::string identity{};                 // i=, else @d
  std::string algorithm{};                // a=
  std::string signature_start{};          // first 8 characters of b=, header.b of RFC 6008
  bool testing = false;                   // the key says t=y: a failure is then no worse than unsigned
  std::uint64_t unsigned_body_bytes = 0;  // after l=
};

// One result per DKIM-Signature field from the top, none if there is none.
std::vector<SignatureResult> verify(const MessageView& message, const dns::Lookup& lookup, const VerifyOptions& options);

// The questions verify() will ask, known from the header alone.
std::vector<dns::Question> key_questions(const MessageView& message, std::size_t signatures_max = 8);

enum class Algorithm { rsa_sha256, ed25519_sha256 };
enum class Canonical { simple, relaxed };

struct SigningRequest {
  std::string domain{};
  std::string selector{};
  Algorithm algorithm = Algorithm::ed25519_sha256;
  SecretText private_key{};  // RSA: PEM (PKCS#8 or PKCS#1); ed25519: the 32 byte seed
  Canonical header_form = Canonical::relaxed;
  Canonical body_form = Canonical::relaxed;
  std::vector<std::string> field_names{};  // empty: From, To, Cc, Subject, Date, Message-ID, Reply-To, MIME and list fields that
                                           // are there, From once more
  std::chrono::sys_seconds signed_at{};    // zero: no t=
};

// The complete field "DKIM-Signature: ...\r\n" to put above the message. invalid_input if From is absent or the key is unusable.
Result<std::string> sign(const MessageView& message, const SigningRequest& request);

}  // namespace mailhold::dkim
