// SHA-256 and SHA-512 (FIPS 180-4), at once or piece by piece.
// Digests are raw bytes. Free functions may be called from any thread; an object serves one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace mailhold::crypto {

inline constexpr std::size_t sha256_size = 32;
inline constexpr std::size_t sha512_size = 64;

std::string sha256(std::string_view bytes);
std::string sha512(std::string_view bytes);

// Hashes a stream: update() any number of times, then finish() once.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::string_view bytes);
  std::string finish();  // afterwards the object is ready for a new stream

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mailhold::crypto
