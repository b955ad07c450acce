// SecretText: a password, key or token in memory. It cannot be printed or copied by
// accident: no operator<<, no copy; copies are made by duplicate(). The bytes live in
// one heap block that is locked where the kernel allows, kept out of core files and
// wiped at the end. reveal() is the one way in, and easy to grep.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mailhold {

// Overwrites in a way the compiler may not remove.
void wipe(void* bytes, std::size_t count);
void wipe(std::string& text);  // and leaves it empty

class SecretText {
 public:
  SecretText() = default;
  static SecretText copy_of(std::string_view bytes);
  static SecretText take(std::string&& bytes);  // wipes the source
  static SecretText random(std::size_t count);
  static SecretText zeroed(std::size_t count);  // to be filled through data()

  SecretText(SecretText&& other) noexcept;
  SecretText& operator=(SecretText&& other) noexcept;
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText();

  SecretText duplicate() const { return copy_of(reveal()); }
  std::string_view reveal() const { return {bytes_, size_}; }
  char* data() { return bytes_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  explicit SecretText(std::size_t count);
  char* bytes_ = nullptr;
  std::size_t size_ = 0;
};

// Equal length and content, in time that depends on the length only.
bool equals_in_constant_time(std::string_view a, std::string_view b);

}  // namespace mailhold
