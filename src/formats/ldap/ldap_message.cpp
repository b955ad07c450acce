#include "formats/ldap/ldap_message.h"

#include "formats/ldap/ber.h"

namespace mailhold::ldap {
namespace {

constexpr std::string_view start_tls_oid = "1.3.6.1.4.1.1466.20037";
constexpr std::uint8_t tag_controls = 0xa0;
constexpr std::uint32_t insufficient_access_rights = 50;

Error broken() { return {ErrorKind::invalid_input, "an LDAP message that cannot be read"}; }

std::string message(std::uint32_t id, std::uint8_t operation, std::string_view content) {
  return element(tag_sequence, integer(tag_integer, id) + element(operation, content));
}

}  // namespace

std::string start_tls_request(std::uint32_t id) {
  return message(id, static_cast<std::uint8_t>(Operation::extended), element(0x80, start_tls_oid));
}

SecretText simple_bind_request(std::uint32_t id, std::string_view dn, std::string_view password) {
  SecretText credential = SecretText::take(element(0x80, password));
  SecretText content = SecretText::take(integer(tag_integer, 3) + element(tag_octets, dn) + std::string(credential.reveal()));
  return SecretText::take(message(id, 0x60, content.reveal()));
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

std::string search_refused(std::int64_t id, std::string_view why) {
  const std::string content =
      integer(tag_enumerated, insufficient_access_rights) + element(tag_octets, "") + element(tag_octets, why);
  return message(static_cast<std::uint32_t>(id), static_cast<std::uint8_t>(Operation::search_done), content);
}

}  // namespace mailhold::ldap
