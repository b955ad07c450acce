// Macros of SPF, RFC 7208 section 7: the grammar of macro-string and domain-spec, and their expansion.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace mailhold::spf {

enum class MacroUse { domain, explanation };  // c, r, t and spaces only stand in explanations

bool is_macro_string(std::string_view text, MacroUse use);
bool is_domain_spec(std::string_view text);  // ends in a top label or in a macro

struct MacroValues {
  std::string local_part;                       // l
  std::string sender_domain;                    // o
  std::string domain;                           // d: the domain whose record is read
  std::string client_ip;                        // 4 or 16 bytes: i, c, v
  std::string helo;                             // h
  std::string receiver;                         // r
  std::string now_seconds;                      // t
  std::function<std::string()> validated_name;  // p
};

inline constexpr std::size_t expanded_bytes_max = 4096;  // longer expansions are cut

// The text must be a macro-string for that use.
std::string expand(std::string_view text, const MacroValues& values);

// Like expand, and labels are dropped at the left until at most 253 bytes are left (section 7.3).
std::string expand_domain(std::string_view text, const MacroValues& values);

}  // namespace mailhold::spf
