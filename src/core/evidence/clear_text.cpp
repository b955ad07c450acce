#include "core/evidence/clear_text.h"

#include <algorithm>
#include <boost/json.hpp>

#include "base/text.h"
#include "base/utf8.h"

namespace mailhold::ledger {
namespace {

constexpr std::int64_t integer_max = (std::int64_t{1} << 53) - 1;  // exact in every JSON reader
constexpr std::size_t name_bytes_max = 64;
constexpr std::int64_t clear_text_version = 1;
constexpr std::string_view reserved_names[] = {"v", "t", "b", "tenant", "connection"};

Error invalid(const char* what) { return Error{ErrorKind::invalid_input, std::string("ledger entry: ") + what}; }
Error damaged(const char* what) { return Error{ErrorKind::corrupt, std::string("clear text: ") + what}; }

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= name_bytes_max && std::all_of(name.begin(), name.end(), [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '_' || letter == '.';
  });
}

// RFC 8785 section 3.2.2.2: the short escapes, \u00xx for other control characters, all else as it is.
void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char letter : text) {
    switch (letter) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(letter) < 0x20) {
          out += "\\u00" + to_hex({&letter, 1});
        } else {
          out += letter;
        }
    }
  }
  out += '"';
}

// The map's order is that of RFC 8785 section 3.2.3, because names are ASCII.
std::string canonical_json(const Fields& fields) {
  std::string out = "{";
  for (const auto& [name, value] : fields) {
    if (out.size() > 1) out += ',';
    append_json_string(out, name);
    out += ':';
    if (const auto* text = std::get_if<std::string>(&value)) {
      append_json_string(out, *text);
    } else {
      out += std::to_string(std::get<std::int64_t>(value));
    }
  }
  return out + "}";
}

Result<Fields> read_flat_json(std::string_view json) {
  boost::system::error_code failure;
  boost::json::parse_options options;
  options.max_depth = 1;
  const boost::json::value value = boost::json::parse({json.data(), json.size()}, failure, {}, options);
  if (failure || !value.is_object()) return damaged("not an object of JSON");
  Fields fields;
  for (const auto& [name, member] : value.get_object()) {
    if (member.is_string()) {
      fields.emplace(name, std::string(member.get_string()));
    } else if (member.is_int64()) {
      fields.emplace(name, member.get_int64());
    } else {
      return damaged("a value is neither text nor integer");
    }
  }
  return fields;
}

// Takes a text field out of the map; empty if it is not there or not text.
std::string take_text(Fields& fields, const std::string& name) {
  const auto found = fields.find(name);
  if (found == fields.end() || !std::holds_alternative<std::string>(found->second)) return {};
  std::string text = std::get<std::string>(found->second);
  fields.erase(found);
  return text;
}

}  // namespace

Result<std::string> write_clear_text(const Entry& entry, std::string_view blinder) {
  if (entry.tenant.is_none()) return invalid("without a tenant");
  if (!is_name(entry.type)) return invalid("type is not a name");
  if (blinder.size() != blinder_bytes) return invalid("blinder has a wrong length");
  Fields all = entry.fields;
  for (const auto& [name, value] : entry.fields) {
    if (!is_name(name)) return invalid("a field is not named properly");
    if (std::find(std::begin(reserved_names), std::end(reserved_names), name) != std::end(reserved_names)) {
      return invalid("a field has a reserved name");
    }
    const auto* text = std::get_if<std::string>(&value);
    if (text != nullptr && !is_utf8(*text)) return invalid("a field is not UTF-8");
    const auto* number = std::get_if<std::int64_t>(&value);
    if (number != nullptr && (*number > integer_max || *number < -integer_max)) return invalid("a number is too large");
  }
  all["v"] = clear_text_version;
  all["t"] = entry.type;
  all["b"] = to_base64url(blinder);
  all["tenant"] = entry.tenant.text();
  if (!entry.connection.is_none()) all["connection"] = entry.connection.text();
  std::string json = canonical_json(all);
  if (json.size() > clear_text_bytes_max) return Error{ErrorKind::limit_exceeded, "ledger entry: too long"};
  return json;
}

Result<Entry> parse_clear_text(std::string_view json) {
  if (json.size() > clear_text_bytes_max) return damaged("too long");
  ASSIGN_OR_RETURN(Fields fields, read_flat_json(json));
  Entry entry;
  const auto version = fields.find("v");
  if (version == fields.end() || version->second != Value(clear_text_version)) return damaged("of an unknown version");
  fields.erase(version);
  entry.type = take_text(fields, "t");
  const auto blinder = from_base64url(take_text(fields, "b"));
  const auto tenant = Id::parse(take_text(fields, "tenant"));
  if (!blinder || !tenant) return damaged("tenant or blinder missing");
  entry.tenant = *tenant;
  if (const std::string connection = take_text(fields, "connection"); !connection.empty()) {
    const auto id = Id::parse(connection);
    if (!id) return damaged("connection is no id");
    entry.connection = *id;
  }
  entry.fields = std::move(fields);
  // One spelling only: what was not written by write_clear_text is refused, duplicates and spaces included.
  const auto again = write_clear_text(entry, *blinder);
  if (!again || *again != json) return damaged("not canonical");
  return entry;
}

}  // namespace mailhold::ledger
