#include "formats/http/entity_tag.h"

#include <algorithm>

namespace mailhold::http {
namespace {

// etagc = %x21 / %x23-7E / obs-text
bool is_of_a_tag(char letter) {
  const auto byte = static_cast<unsigned char>(letter);
  return byte > 0x20 && byte != '"' && byte != 0x7f;
}

}  // namespace

bool is_strong_tag(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return false;
  const std::string_view inside = text.substr(1, text.size() - 2);
  return std::all_of(inside.begin(), inside.end(), is_of_a_tag);
}

}  // namespace mailhold::http
