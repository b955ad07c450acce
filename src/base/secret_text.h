// SecretText: a password, key or token in memory. It cannot be printed or copied by
// accident: no operator<<, no copy; copies are made by duplicate(). The bytes live in
// one block that is locked where the kernel allows, kept out of core files and
// wiped at the end: of the heap, or of the program's secret memory where it has some.
// reveal() is the one way in, and easy to grep.
#pragma once

#include <cstddef>
#include <initializer_list>
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
  static SecretText joined(std::initializer_list<std::string_view> parts);

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

// Where SecretTexts lie instead of in the heap, in programs that have such memory (platform/crypto/secret_memory.h). `take` gives
// a block of zeros, or null: then it is the heap after all. `give_back` is false for a block that is not its own. Any thread.
struct SecretTextMemory {
  void* (*take)(std::size_t bytes) noexcept = nullptr;
  bool (*give_back)(void* block) noexcept = nullptr;
};
void keep_secret_texts_in(SecretTextMemory memory);  // once, before there is another thread

// Equal length and content, in time that depends on the length only.
bool equals_in_constant_time(std::string_view a, std::string_view b);

}  // namespace mailhold
