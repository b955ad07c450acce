#include "formats/imap/literal.h"

#include <algorithm>

#include "base/text.h"

namespace mailhold::imap {

std::optional<std::uint64_t> announced_literal(std::string_view line) {
  if (!line.ends_with('}')) return std::nullopt;
  const std::size_t begin = line.rfind('{');
  if (begin == std::string_view::npos) return std::nullopt;
  std::string_view digits = line.substr(begin + 1, line.size() - begin - 2);
  if (digits.ends_with('+')) digits.remove_suffix(1);
  return to_number(digits);
}

bool is_condition(std::string_view word) {
  constexpr std::string_view words[] = {"OK", "NO", "BAD", "BYE", "PREAUTH"};
  return std::any_of(std::begin(words), std::end(words), [&](std::string_view each) { return equals_ignoring_case(each, word); });
}

}  // namespace mailhold::imap
