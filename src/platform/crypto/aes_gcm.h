// AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags, for rooms that
// manage nonces themselves. To seal something that is stored, use formats/sealed.
// An object holds one expanded key, which is wiped at its end; it serves one thread at a time.
#pragma once

#include <cstddef>
#include <string_view>

namespace mailhold::crypto {

class AesGcm {
 public:
  static constexpr std::size_t key_size = 32;
  static constexpr std::size_t nonce_size = 12;
  static constexpr std::size_t tag_size = 16;

  explicit AesGcm(std::string_view key);  // exactly key_size bytes
  ~AesGcm();
  AesGcm(const AesGcm&) = delete;
  AesGcm& operator=(const AesGcm&) = delete;

  // Writes plaintext.size() + tag_size bytes to `out`.
  void seal(std::string_view nonce, std::string_view plaintext, char* out, std::string_view associated = {});

  // Writes ciphertext.size() - tag_size bytes to `out`. False if the tag does not match; `out` is then zeroed.
  [[nodiscard]] bool open(std::string_view nonce, std::string_view ciphertext, char* out, std::string_view associated = {});

 private:
  void* context_;
};

}  // namespace mailhold::crypto
