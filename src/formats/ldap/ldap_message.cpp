#include "formats/ldap/ldap_message.h"

#include "formats/ldap/ber.h"

namespace mailhold::ldap {
namespace {

constexpr std::string_view start_tls_oid = "1.3.6.1.4.1.1466.20037";
constexpr std::uint8_t tag_controls = 0xa0;
constexpr std::uint32_t insufficient_access_rights = 50;
constexpr std::int64_t invalid_credentials = 49;
constexpr std::string_view wrong_credential = "wrong user or password";

// The Windows errors that Active Directory names behind "data ", in hex.
constexpr std::pair<std::string_view, std::string_view> active_directory_reasons[] = {
    {"525", wrong_credential},  // no such user
    {"52e", wrong_credential},
    {"530", "the account may not sign in at this hour"},
    {"531", "the account may not sign in from this host"},
    {"532", "the password has expired"},
    {"533", "the account is disabled"},
    {"701", "the account has expired"},
    {"773", "the password must be changed first"},
    {"775", "the account is locked"}};

Error broken() { return {ErrorKind::invalid_input, "an LDAP message that cannot be read"}; }

std::string message(std::uint32_t id, std::uint8_t operation, std::string_view content) {
  return element(tag_sequence, integer(tag_integer, id) + element(operation, content));
}

}  // namespace

std::string start_tls_request(std::uint32_t id) {
  return message(id, static_cast<std::uint8_t>(Operation::extended), element(0x80, start_tls_oid));
}

// Put together in one block that is wiped: no piece of it holds the password besides.
SecretText simple_bind_request(std::uint32_t id, std::string_view dn, std::string_view password) {
  const std::string before = integer(tag_integer, 3) + element(tag_octets, dn) + header(0x80, password.size());
  const std::string number = integer(tag_integer, id);
  const std::string bind = header(0x60, before.size() + password.size());
  const std::size_t size = number.size() + bind.size() + before.size() + password.size();
  const std::string head = header(tag_sequence, size) + number + bind + before;
  SecretText message = SecretText::zeroed(head.size() + password.size());
  head.copy(message.data(), head.size());
  password.copy(message.data() + head.size(), password.size());
  return message;
}

Result<Message> parse_message(std::string_view bytes) {
  BerReader outer(bytes);
  const auto whole = outer.next(tag_sequence);
  if (!whole || !outer.is_at_end()) return broken();
  BerReader inner(whole->content);
  const auto id = inner.number(tag_integer);
  const auto operation = inner.next();
  if (!id || *id < 0 || !operation) return broken();
  Message message{*id, operation->tag, operation->content, {}};
  if (!inner.is_at_end()) {
    const auto controls = inner.next(tag_controls);
    if (!controls || !inner.is_at_end()) return broken();
    message.controls = controls->content;
  }
  return message;
}

Result<std::int64_t> result_code(const Message& message) {
  BerReader reader(message.content);
  const auto code = reader.number(tag_enumerated);
  if (!code) return broken();
  return *code;
}

std::string_view reason_of_refusal(const Message& message) {
  BerReader reader(message.content);
  const auto code = reader.number(tag_enumerated);
  const auto matched = reader.next(tag_octets);
  const auto diagnostic = reader.next(tag_octets);
  if (code != invalid_credentials || !matched || !diagnostic) return {};
  const std::size_t at = diagnostic->content.find(", data ");
  if (at == std::string_view::npos) return wrong_credential;
  const std::string_view data = diagnostic->content.substr(at + 7);
  const std::string_view number = data.substr(0, data.find_first_of(", "));
  for (const auto& [each, reason] : active_directory_reasons) {
    if (number == each) return reason;
  }
  return {};
}

std::string search_refused(std::int64_t id, std::string_view why) {
  const std::string content =
      integer(tag_enumerated, insufficient_access_rights) + element(tag_octets, "") + element(tag_octets, why);
  return message(static_cast<std::uint32_t>(id), static_cast<std::uint8_t>(Operation::search_done), content);
}

}  // namespace mailhold::ldap
