#include "formats/http/proof_collection.h"

#include <algorithm>

namespace mailhold::http {

bool is_proof_collection(std::string_view name) {
  constexpr std::size_t job_digits = 32, number_digits_max = 4;
  const auto is_digit = [](char letter) { return letter >= '0' && letter <= '9'; };
  const auto is_hex = [&](char letter) { return is_digit(letter) || (letter >= 'a' && letter <= 'f'); };
  if (!name.starts_with(proof_collection_prefix)) return false;
  name.remove_prefix(proof_collection_prefix.size());
  if (name.size() < job_digits + 2 || name.size() > job_digits + 1 + number_digits_max || name[job_digits] != '-') return false;
  const std::string_view number = name.substr(job_digits + 1);
  return std::all_of(name.begin(), name.begin() + job_digits, is_hex) && std::all_of(number.begin(), number.end(), is_digit);
}

}  // namespace mailhold::http
