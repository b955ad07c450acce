#include "features/recover/verb_fields.h"

#include <boost/json.hpp>

#include "base/utf8.h"

namespace mailhold::recover {

std::string text_of(const boost::json::object& request, std::string_view name) {
  const boost::json::value* value = request.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

Result<Id> id_of(const boost::json::object& request, std::string_view name, bool required) {
  const std::string text = text_of(request, name);
  if (text.empty() && !required) return Id();
  const Result<Id> id = Id::parse(text);
  if (id && !id->is_none()) return id;
  const std::string what = std::string(name) + " must be 32 hex digits";
  return Error{ErrorKind::invalid_input, what, what};
}

std::string shown(std::string_view text) {
  std::string safe;
  for (std::size_t at = 0; at < text.size();) append_utf8(safe, next_code_point(text, at));
  return safe;
}

}  // namespace mailhold::recover
