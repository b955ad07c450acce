#include "formats/sasl/scram.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/secret_text.h"
#include "base/text.h"
#include "platform/crypto/hash.h"
#include "platform/crypto/mac.h"
#include "platform/crypto/pbkdf2.h"

namespace mailhold::sasl {
namespace {

constexpr std::size_t message_bytes_max = 2048;
constexpr std::size_t salt_bytes_max = 256;

Error broken(const char* what) { return {ErrorKind::invalid_input, std::string("SCRAM: ") + what}; }

// "=" and "," are written as =3D and =2C (RFC 5802 section 5.1).
std::string escaped(std::string_view user) {
  std::string name;
  for (const char letter : user) {
    if (letter == '=')
      name += "=3D";
    else if (letter == ',')
      name += "=2C";
    else
      name += letter;
  }
  return name;
}

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char letter) { return letter >= 0x21 && letter <= 0x7e && letter != ','; });
}

struct ServerFirst {
  std::string_view nonce;
  std::string salt;
  std::uint32_t iterations = 0;
};

Result<ServerFirst> read_server_first(std::string_view message) {
  if (message.size() > message_bytes_max) return broken("the server's message is too long");
  const auto parts = split(message, ',');
  // Extensions that must be understood come first as "m=": none is.
  if (parts.size() < 3 || !parts[0].starts_with("r=") || !parts[1].starts_with("s=") || !parts[2].starts_with("i="))
    return broken("the server's first message is not r=,s=,i=");
  ServerFirst first;
  first.nonce = parts[0].substr(2);
  const auto salt = from_base64(parts[1].substr(2));
  const auto iterations = to_number(parts[2].substr(2));
  if (!is_printable(first.nonce) || !salt || salt->empty() || salt->size() > salt_bytes_max)
    return broken("nonce or salt cannot be read");
  if (!iterations || *iterations < scram_iterations_min || *iterations > scram_iterations_max)
    return broken("the number of iterations is out of bounds");
  first.salt = *salt;
  first.iterations = static_cast<std::uint32_t>(*iterations);
  return first;
}

constexpr std::string_view no_channel_binding = "biws";  // base64 of "n,,"

std::string without_proof(std::string_view nonce) { return "c=" + std::string(no_channel_binding) + ",r=" + std::string(nonce); }

}  // namespace

std::string encode(const ScramQuestion& question) {
  return ByteWriter().text(question.client_first_bare).text(question.server_first).take();
}

Result<ScramQuestion> parse_scram_question(std::string_view bytes) {
  ByteReader reader(bytes);
  ScramQuestion question;
  question.client_first_bare = reader.text();
  question.server_first = reader.text();
  RETURN_IF_ERROR(reader.finish());
  return question;
}

std::string encode(const ScramAnswer& answer) { return answer.proof + answer.server_signature; }

Result<ScramAnswer> parse_scram_answer(std::string_view bytes) {
  if (bytes.size() != 64) return Error{ErrorKind::corrupt, "not an answer to SCRAM"};
  return ScramAnswer{std::string(bytes.substr(0, 32)), std::string(bytes.substr(32))};
}

Result<ScramAnswer> answer_scram(std::string_view user, std::string_view password, const ScramQuestion& question) {
  const std::string_view bare = question.client_first_bare;
  const std::string begin = "n=" + escaped(user) + ",r=";
  if (!bare.starts_with(begin)) return Error{ErrorKind::denied, "the user of the dialogue is not the one of the secret"};
  ASSIGN_OR_RETURN(const ServerFirst first, read_server_first(question.server_first));
  const std::string_view nonce = bare.substr(begin.size());
  if (nonce.size() < 16 || !is_printable(nonce) || !first.nonce.starts_with(nonce) || first.nonce.size() == nonce.size())
    return broken("the server's nonce does not continue ours");
  const SecretText salted = crypto::pbkdf2_sha256(password, first.salt, first.iterations);
  const SecretText client_key = SecretText::take(crypto::hmac_sha256(salted.reveal(), "Client Key"));
  const SecretText server_key = SecretText::take(crypto::hmac_sha256(salted.reveal(), "Server Key"));
  const std::string auth_message = question.client_first_bare + "," + question.server_first + "," + without_proof(first.nonce);
  ScramAnswer answer;
  answer.proof = crypto::hmac_sha256(crypto::sha256(client_key.reveal()), auth_message);
  for (std::size_t i = 0; i < answer.proof.size(); ++i)
    answer.proof[i] =
        static_cast<char>(static_cast<unsigned char>(answer.proof[i]) ^ static_cast<unsigned char>(client_key.reveal()[i]));
  answer.server_signature = crypto::hmac_sha256(server_key.reveal(), auth_message);
  return answer;
}

ScramDialogue::ScramDialogue(std::string_view user, std::string nonce)
    : nonce_(std::move(nonce)), client_first_bare_("n=" + escaped(user) + ",r=" + nonce_) {}

Result<ScramQuestion> ScramDialogue::question(std::string_view server_first) const {
  ASSIGN_OR_RETURN(const ServerFirst first, read_server_first(server_first));
  if (!first.nonce.starts_with(nonce_) || first.nonce.size() == nonce_.size())
    return broken("the server's nonce does not continue ours");
  return ScramQuestion{client_first_bare_, std::string(server_first)};
}

std::string ScramDialogue::client_final(const ScramQuestion& question, const ScramAnswer& answer) const {
  const auto first = read_server_first(question.server_first);
  return without_proof(first ? first->nonce : std::string_view()) + ",p=" + to_base64(answer.proof);
}

Status ScramDialogue::check(std::string_view server_final, const ScramAnswer& answer) {
  const std::string_view verifier = server_final.substr(0, server_final.find(','));
  const auto signature = verifier.starts_with("v=") ? from_base64(verifier.substr(2)) : std::nullopt;
  if (!signature || !equals_in_constant_time(*signature, answer.server_signature))
    return Error{ErrorKind::denied, "SCRAM: the server did not prove that it knows the password"};
  return done();
}

}  // namespace mailhold::sasl
