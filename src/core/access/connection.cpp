#include "core/access/connection.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::access {
namespace {

constexpr std::uint8_t bytes_version = 1;
constexpr std::size_t pins_max = 8;
constexpr std::size_t list_max = 256;
constexpr std::size_t text_bytes_max = 1024;
constexpr std::size_t ca_bytes_max = 64 * 1024;

using Texts = std::vector<std::string>;

Status wrong(const std::string& what) { return Error{ErrorKind::invalid_input, what, what}; }

bool is_hash(const std::string& text) { return text.size() == 64 && from_hex(text).has_value(); }

bool has_no_controls(std::string_view text) {
  return text.size() <= text_bytes_max && std::none_of(text.begin(), text.end(), [](char letter) {
           return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f;
         });
}

bool is_host(std::string_view text) {
  return text.size() <= 255 && std::all_of(text.begin(), text.end(), [](char letter) { return letter > 0x20 && letter < 0x7f; });
}

bool contains(const Texts& list, const std::string& text) { return std::find(list.begin(), list.end(), text) != list.end(); }
bool is_subset(const Texts& part, const Texts& whole) {
  return std::all_of(part.begin(), part.end(), [&](const std::string& each) { return contains(whole, each); });
}
bool is_everything(const Texts& mailboxes) { return contains(mailboxes, "*"); }

bool raises(std::uint64_t before, std::uint64_t after) { return before != 0 && (after == 0 || after > before); }
bool raises(const Caps& before, const Caps& after) {
  return raises(before.sessions_hour, after.sessions_hour) || raises(before.sessions_day, after.sessions_day) ||
         raises(before.items_hour, after.items_hour) || raises(before.items_day, after.items_day) ||
         raises(before.bytes_hour, after.bytes_hour) || raises(before.bytes_day, after.bytes_day) ||
         raises(before.mailboxes_day, after.mailboxes_day);
}

Status check_destination(const Connection& connection) {
  if (connection.host.empty() || !is_host(connection.host) || connection.port == 0)
    return wrong("a connection needs a host and a port");
  if (!is_host(connection.name) || !is_host(connection.token_host)) return wrong("a name no server can have");
  if (connection.tls < ConnectionTls::starttls || connection.tls > ConnectionTls::implicit) return wrong("no such TLS rule");
  if (connection.kind == ConnectionKind::http && connection.tls != ConnectionTls::implicit)
    return wrong("HTTP has TLS from the start");
  if (connection.ca.size() > ca_bytes_max) return wrong("the CA's PEM text is too long");
  if (!connection.ca.empty() && connection.ca != "system" && !connection.ca.starts_with("-----BEGIN"))
    return wrong("the CA must be \"system\" or PEM text");
  if (connection.pins.size() > pins_max || !std::all_of(connection.pins.begin(), connection.pins.end(), is_hash))
    return wrong("pins are up to 8 SHA-256 values of 64 hex digits");
  if (connection.pins.empty() && connection.ca.empty()) return wrong("a connection needs a pin, or a CA and a name");
  return done();
}

Status check_sign_in(const Connection& connection) {
  if (!is_sign_in(connection.sign_in)) return wrong("no such way to sign in");
  if (connection.user.empty() || !has_no_controls(connection.user))
    return wrong("a connection needs a user without control characters");
  const bool asserts = connection.sign_in == SignIn::assertion;
  if (asserts != !connection.token_host.empty()) return wrong("a token host goes with client assertions, and they need one");
  if (asserts && (connection.token_port == 0 || connection.ca.empty()))
    return wrong("the token host is verified by a CA: give one");
  if (connection.sign_in != SignIn::password && connection.kind == ConnectionKind::ldap)
    return wrong("tokens are for imap, pop3 and http");
  return done();
}

Status check_lists(const Connection& connection) {
  if (connection.purposes.empty()) return wrong("a connection needs a purpose");
  for (const std::string& purpose : connection.purposes) {
    if (std::find(std::begin(known_purposes), std::end(known_purposes), purpose) == std::end(known_purposes))
      return wrong("purposes are backup.read, restore.write, backup.prove, journal, directory.read");
    if ((connection.kind == ConnectionKind::ldap) != (purpose == "directory.read") && connection.kind != ConnectionKind::http)
      return wrong("directory.read is the purpose of ldap, and its only one");
    if (connection.kind == ConnectionKind::pop3 && purpose == "restore.write") return wrong("nothing can be restored over POP3");
    const bool takes_folders = connection.kind == ConnectionKind::imap || connection.kind == ConnectionKind::http;
    if (!takes_folders && purpose == "backup.prove") return wrong("backup.prove is for imap and http");
  }
  for (const Texts* list : {&connection.purposes, &connection.verbs, &connection.mailboxes, &connection.workers}) {
    if (list->size() > list_max || !std::all_of(list->begin(), list->end(), has_no_controls))
      return wrong("a list is too long or has odd letters");
  }
  if (connection.mailboxes.empty()) return wrong("a connection needs the mailboxes it may reach, or *");
  if ((connection.kind == ConnectionKind::http) == connection.verbs.empty())
    return wrong("verbs go with http, and it needs them");
  if (!std::all_of(connection.workers.begin(), connection.workers.end(), is_hash))
    return wrong("workers are SHA-256 values of 64 hex digits");
  if (!is_host(connection.egress)) return wrong("egress is a numeric address");
  return done();
}

void write_texts(ByteWriter& writer, const Texts& texts) {
  writer.u32(static_cast<std::uint32_t>(texts.size()));
  for (const std::string& text : texts) writer.text(text);
}

Texts read_texts(ByteReader& reader) {
  Texts texts;
  for (std::uint32_t left = reader.count(4); left > 0; --left) texts.emplace_back(reader.text());
  return texts;
}

// What stands in the seal of the secret, and at the beginning of the bytes.
void write_bound_part(ByteWriter& writer, const Connection& connection) {
  writer.raw(connection.tenant.bytes()).raw(connection.id.bytes()).u8(static_cast<std::uint8_t>(connection.kind));
  writer.text(connection.host)
      .u16(connection.port)
      .u8(static_cast<std::uint8_t>(connection.tls))
      .text(connection.name)
      .text(connection.ca);
  write_texts(writer, connection.pins);
  writer.u8(static_cast<std::uint8_t>(connection.sign_in))
      .text(connection.user)
      .text(connection.token_host)
      .u16(connection.token_port);
  write_texts(writer, connection.purposes);
}

}  // namespace

Status check_connection(const Connection& connection) {
  if (connection.id.is_none() || connection.tenant.is_none()) return wrong("a connection needs an id and a tenant");
  if (connection.kind < ConnectionKind::imap || connection.kind > ConnectionKind::ldap)
    return wrong("no such kind of connection");
  RETURN_IF_ERROR(check_destination(connection));
  RETURN_IF_ERROR(check_sign_in(connection));
  return check_lists(connection);
}

bool widens(const Connection* before, const Connection& after) {
  if (before == nullptr) return true;
  if (secret_policy_of(*before) != secret_policy_of(after)) {
    Connection fewer = after;  // the same place with fewer purposes is no more than before
    fewer.purposes = before->purposes;
    if (secret_policy_of(*before) != secret_policy_of(fewer) || !is_subset(after.purposes, before->purposes)) return true;
  }
  if (!is_subset(after.verbs, before->verbs) || raises(before->caps, after.caps)) return true;
  if (!is_everything(before->mailboxes) && !is_subset(after.mailboxes, before->mailboxes)) return true;
  if (!before->workers.empty() && (after.workers.empty() || !is_subset(after.workers, before->workers))) return true;
  if (before->egress != after.egress && !before->egress.empty()) return true;
  return before->suspended && !after.suspended;
}

std::string secret_policy_of(const Connection& connection) {
  ByteWriter writer;
  writer.text("mailhold-policy-2");
  write_bound_part(writer, connection);
  return writer.take();
}

std::string write_connection(const Connection& connection) {
  ByteWriter writer;
  writer.u8(bytes_version);
  write_bound_part(writer, connection);
  write_texts(writer, connection.verbs);
  write_texts(writer, connection.mailboxes);
  const Caps& caps = connection.caps;
  for (const std::uint64_t cap : {caps.sessions_hour, caps.sessions_day, caps.items_hour, caps.items_day, caps.bytes_hour,
                                  caps.bytes_day, caps.mailboxes_day})
    writer.u64(cap);
  write_texts(writer, connection.workers);
  return writer.text(connection.egress).u8(connection.suspended ? 1 : 0).take();
}

Result<Connection> parse_connection(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != bytes_version) return Error{ErrorKind::corrupt, "a connection of an unknown version"};
  Connection connection;
  connection.tenant = Id::from_bytes(reader.raw(Id::size));
  connection.id = Id::from_bytes(reader.raw(Id::size));
  connection.kind = static_cast<ConnectionKind>(reader.u8());
  connection.host = reader.text();
  connection.port = reader.u16();
  connection.tls = static_cast<ConnectionTls>(reader.u8());
  connection.name = reader.text();
  connection.ca = reader.text();
  connection.pins = read_texts(reader);
  connection.sign_in = static_cast<SignIn>(reader.u8());
  connection.user = reader.text();
  connection.token_host = reader.text();
  connection.token_port = reader.u16();
  connection.purposes = read_texts(reader);
  connection.verbs = read_texts(reader);
  connection.mailboxes = read_texts(reader);
  Caps& caps = connection.caps;
  for (std::uint64_t* cap : {&caps.sessions_hour, &caps.sessions_day, &caps.items_hour, &caps.items_day, &caps.bytes_hour,
                             &caps.bytes_day, &caps.mailboxes_day})
    *cap = reader.u64();
  connection.workers = read_texts(reader);
  connection.egress = reader.text();
  const std::uint8_t suspended = reader.u8();
  connection.suspended = suspended == 1;
  RETURN_IF_ERROR(reader.finish());
  if (suspended > 1) return Error{ErrorKind::corrupt, "a connection neither suspended nor not"};
  if (const Status sound = check_connection(connection); !sound)
    return Error{ErrorKind::corrupt, "unsound connection: " + sound.error().detail};
  return connection;
}

}  // namespace mailhold::access
