// ItemTypes: which types of items are meant, of those that a mailbox can hold.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace mailhold::mailboxes {

enum class ItemType : std::uint8_t { mail = 1, event = 2, contact = 3, task = 4, note = 5 };

class ItemTypes {
 public:
  constexpr ItemTypes() = default;  // none
  constexpr ItemTypes(std::initializer_list<ItemType> types) {
    for (const ItemType type : types) bits_ |= bit(type);
  }
  static constexpr ItemTypes all() {
    return {ItemType::mail, ItemType::event, ItemType::contact, ItemType::task, ItemType::note};
  }
  // As rows have them: the lowest bit is of mail.
  static constexpr ItemTypes from_bits(std::uint8_t bits) {
    ItemTypes types;
    types.bits_ = bits & all().bits_;
    return types;
  }
  constexpr std::uint8_t bits() const { return bits_; }

  constexpr bool has(ItemType type) const { return (bits_ & bit(type)) != 0; }
  constexpr bool is_none() const { return bits_ == 0; }
  constexpr ItemTypes operator&(ItemTypes other) const { return from_bits(bits_ & other.bits_); }
  friend constexpr bool operator==(ItemTypes, ItemTypes) = default;

 private:
  static constexpr std::uint8_t bit(ItemType type) { return static_cast<std::uint8_t>(1U << (static_cast<unsigned>(type) - 1)); }
  std::uint8_t bits_ = 0;
};

}  // namespace mailhold::mailboxes
