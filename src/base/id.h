// Id: the 16 random bytes that name a tenant, message, connection, key or person.
// Printed as 32 lower-case hex digits: the only name of a thing that may stand in
// logs and file names.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold {

class Id {
 public:
  static constexpr std::size_t size = 16;
  Id() = default;  // all zero: "none"

  static Id random();                             // from getrandom(2)
  static Id from_bytes(std::string_view bytes);   // exactly 16, else the zero id
  static Result<Id> parse(std::string_view hex);  // 32 hex digits, else invalid_input

  std::string_view bytes() const { return {bytes_.data(), size}; }
  std::string text() const;
  bool is_none() const { return *this == Id(); }

  friend bool operator==(const Id&, const Id&) = default;
  friend auto operator<=>(const Id&, const Id&) = default;

 private:
  std::array<char, size> bytes_{};
};

}  // namespace mailhold

template <>
struct std::hash<mailhold::Id> {
  std::size_t operator()(const mailhold::Id& id) const noexcept { return std::hash<std::string_view>()(id.bytes()); }
};
