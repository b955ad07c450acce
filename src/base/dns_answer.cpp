#include "base/dns_answer.h"

#include <arpa/inet.h>

#include "base/text.h"

namespace mailhold::dns {
namespace {

// What an atom of RFC 5322 may hold, colons and spaces: SPF macros make names of these (RFC 7208 section 7). All else is refused,
// above all what libraries and zone files give a meaning of its own: backslash, quotes, brackets, control and 8-bit bytes.
bool may_stand_in_name(char letter) {
  if ((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9')) return true;
  return letter != '\0' && std::string_view("-_!#$%&'*+/=?^`{|}~: ").find(letter) != std::string_view::npos;
}

bool is_known(std::uint16_t type) {
  switch (static_cast<RecordType>(type)) {
    case RecordType::a:
    case RecordType::cname:
    case RecordType::ptr:
    case RecordType::mx:
    case RecordType::txt:
    case RecordType::aaaa:
    case RecordType::tlsa: return true;
  }
  return false;
}

Error corrupt(const char* detail) { return {.kind = ErrorKind::corrupt, .detail = detail}; }

}  // namespace

bool Answer::is_temporary_failure() const {
  return status == AnswerStatus::servfail || status == AnswerStatus::timeout || status == AnswerStatus::bogus;
}

bool Answer::is_void() const { return status == AnswerStatus::nxdomain || status == AnswerStatus::nodata; }

std::optional<std::string> normal_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > name_bytes_max) return std::nullopt;
  std::size_t label_bytes = 0;
  for (char letter : name) {
    if (letter == '.') {
      if (label_bytes == 0) return std::nullopt;
      label_bytes = 0;
    } else if (!may_stand_in_name(letter) || ++label_bytes > 63) {
      return std::nullopt;
    }
  }
  if (label_bytes == 0) return std::nullopt;
  return to_lower(name);
}

std::string reverse_name(std::string_view address_bytes) {
  std::string name;
  if (address_bytes.size() == 4) {
    for (std::size_t index = 4; index-- > 0;) name += std::to_string(static_cast<unsigned char>(address_bytes[index])) + ".";
    return name + "in-addr.arpa";
  }
  if (address_bytes.size() != 16) return name;
  const std::string digits = to_hex(address_bytes);
  for (std::size_t index = digits.size(); index-- > 0;) {
    name += digits[index];
    name += '.';
  }
  return name + "ip6.arpa";
}

std::optional<std::string> parse_address(std::string_view text) {
  if (text.size() > 45 || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  char bytes[16];
  if (inet_pton(AF_INET, terminated.c_str(), bytes) == 1) return std::string(bytes, 4);
  if (inet_pton(AF_INET6, terminated.c_str(), bytes) != 1) return std::nullopt;
  const std::string address(bytes, 16);
  static const std::string mapped_prefix = std::string(10, '\0') + "\xff\xff";  // RFC 4291 section 2.5.5.2
  if (address.starts_with(mapped_prefix)) return address.substr(12);
  return address;
}

std::string address_text(std::string_view address_bytes) {
  char text[INET6_ADDRSTRLEN];
  if (address_bytes.size() != 4 && address_bytes.size() != 16) return {};
  const int family = address_bytes.size() == 4 ? AF_INET : AF_INET6;
  return inet_ntop(family, address_bytes.data(), text, sizeof text) != nullptr ? text : "";
}

void write(ByteWriter& writer, const Question& question) {
  writer.u16(static_cast<std::uint16_t>(question.type)).text(question.name);
}

void write(ByteWriter& writer, const Answer& answer) {
  writer.u8(static_cast<std::uint8_t>(answer.status)).u8(answer.secure ? 1 : 0).u32(answer.ttl_seconds);
  writer.text(answer.canonical_name).u32(static_cast<std::uint32_t>(answer.records.size()));
  for (const Record& record : answer.records) writer.u16(record.preference).text(record.value);
}

Result<Question> read_question(ByteReader& reader) {
  const std::uint16_t type = reader.u16();
  const std::string_view name = reader.text();
  if (!reader.ok() || !is_known(type)) return corrupt("question cut short or of unknown type");
  const std::optional<std::string> normal = normal_name(name);
  if (!normal || *normal != name) return corrupt("name that DNS cannot carry");
  return Question{*normal, static_cast<RecordType>(type)};
}

Result<Answer> read_answer(ByteReader& reader) {
  Answer answer;
  const std::uint8_t status = reader.u8();
  const std::uint8_t secure = reader.u8();
  answer.ttl_seconds = reader.u32();
  answer.canonical_name = reader.text();
  const std::uint32_t count = reader.count(6);
  if (!reader.ok() || status > static_cast<std::uint8_t>(AnswerStatus::bogus) || secure > 1) return corrupt("answer cut short");
  if (count > records_max || answer.canonical_name.size() > name_bytes_max) return corrupt("answer too big");
  answer.status = static_cast<AnswerStatus>(status);
  answer.secure = secure == 1;
  if ((answer.status == AnswerStatus::ok) != (count > 0)) return corrupt("answer contradicts its status");
  std::size_t bytes = 0;
  for (std::uint32_t index = 0; index < count && reader.ok(); ++index) {
    Record record;
    record.preference = reader.u16();
    record.value = reader.text();
    bytes += record.value.size();
    if (record.value.size() > record_bytes_max || bytes > answer_bytes_max) return corrupt("answer too big");
    answer.records.push_back(std::move(record));
  }
  if (!reader.ok()) return corrupt("answer cut short");
  return answer;
}

}  // namespace mailhold::dns
