#include "core/keys/share_text.h"

#include <array>

#include "base/bytes.h"
#include "platform/crypto/hash.h"

namespace mailhold::keys {
namespace {

constexpr std::uint8_t format_one = 1;
constexpr std::size_t tag_size = 4;
constexpr std::size_t value_size = 32;
constexpr std::size_t checksum_size = 7;
constexpr std::size_t bytes_size = 1 + tag_size + tag_size + 1 + 1 + value_size + checksum_size;  // 50: 80 characters
constexpr std::size_t group_size = 5;  // characters before the one that checks them
constexpr std::size_t groups = bytes_size * 8 / 5 / group_size;
static_assert(bytes_size * 8 % 5 == 0 && groups * group_size * 5 == bytes_size * 8);

// Crockford's base32: no I, L, O or U, which people take for something else.
constexpr std::string_view alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

int digit_of(char typed) {
  char letter = typed;
  if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  if (letter == 'O') letter = '0';
  if (letter == 'I' || letter == 'L') letter = '1';
  const std::size_t found = alphabet.find(letter);
  return found == std::string_view::npos ? -1 : static_cast<int>(found);
}

bool stands_between(char typed) { return typed == ' ' || typed == '-' || typed == '\t' || typed == '\r' || typed == '\n'; }

// Odd weights find every wrong character; the number of the group finds groups that changed places.
char check_of(const int* digits, std::size_t group) {
  std::size_t sum = group;
  for (std::size_t i = 0; i < group_size; ++i) sum += static_cast<std::size_t>(digits[i]) * (2 * i + 1);
  return alphabet[sum % 32];
}

std::string checksum_of(std::string_view bytes) {
  return crypto::sha256(std::string("mailhold recovery share 1").append(bytes)).substr(0, checksum_size);
}

Error mistyped(std::size_t group) {
  return {ErrorKind::invalid_input, "group " + std::to_string(group + 1) + " of the share is mistyped"};
}

}  // namespace

std::string region_tag_of(std::string_view region) {
  return crypto::sha256(std::string("mailhold region").append(region)).substr(0, tag_size);
}

std::string seal_tag_of(Id seal) { return std::string(seal.bytes().substr(0, tag_size)); }

SecretText write_share(const RecoveryShare& share) {
  ByteWriter writer;
  writer.u8(format_one).raw(share.region_tag).raw(share.seal_tag).u8(share.threshold).u8(share.index).raw(share.value.reveal());
  std::string bytes = writer.take();
  bytes += checksum_of(bytes);
  std::array<int, groups * group_size> digits{};
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    const int value = static_cast<unsigned char>(bytes[bit / 8]) >> (7 - bit % 8) & 1;
    digits[bit / 5] = digits[bit / 5] << 1 | value;
  }
  std::string text;
  text.reserve(groups * (group_size + 2));
  for (std::size_t group = 0; group < groups; ++group) {
    if (group > 0) text += '-';
    for (std::size_t i = 0; i < group_size; ++i) text += alphabet[static_cast<std::size_t>(digits[group * group_size + i])];
    text += check_of(&digits[group * group_size], group);
  }
  wipe(bytes);
  wipe(digits.data(), sizeof digits);
  return SecretText::take(std::move(text));
}

Result<RecoveryShare> parse_share(std::string_view typed) {
  if (typed.size() > share_text_bytes_max) return Error{ErrorKind::invalid_input, "the share is too long"};
  constexpr std::size_t characters = groups * (group_size + 1);
  std::array<int, characters> read{};
  std::size_t count = 0;
  for (const char character : typed) {
    if (stands_between(character)) continue;
    if (count == characters) return Error{ErrorKind::invalid_input, "the share is too long"};
    read[count] = digit_of(character);
    if (read[count] < 0) return mistyped(count / (group_size + 1));
    ++count;
  }
  SecretText bytes = SecretText::zeroed(bytes_size);
  std::size_t bit = 0;
  for (std::size_t group = 0; group < groups; ++group) {
    const int* const digits = &read[group * (group_size + 1)];
    if ((group + 1) * (group_size + 1) > count)
      return Error{ErrorKind::invalid_input, "the share has " + std::to_string(groups) + " groups of six; group " +
                                                 std::to_string(group + 1) + " is not complete"};
    if (alphabet[static_cast<std::size_t>(digits[group_size])] != check_of(digits, group)) return mistyped(group);
    for (std::size_t i = 0; i < group_size; ++i) {
      for (int shift = 4; shift >= 0; --shift, ++bit)
        bytes.data()[bit / 8] = static_cast<char>(bytes.data()[bit / 8] | (digits[i] >> shift & 1) << (7 - bit % 8));
    }
  }
  wipe(read.data(), sizeof read);
  const std::string_view covered = bytes.reveal().substr(0, bytes_size - checksum_size);
  if (!equals_in_constant_time(checksum_of(covered), bytes.reveal().substr(covered.size())))
    return Error{ErrorKind::invalid_input, "the share is mistyped: its checksum is wrong"};
  ByteReader reader(covered);
  RecoveryShare share;
  const std::uint8_t format = reader.u8();
  share.region_tag = std::string(reader.raw(tag_size));
  share.seal_tag = std::string(reader.raw(tag_size));
  share.threshold = reader.u8();
  share.index = reader.u8();
  share.value = SecretText::copy_of(reader.raw(value_size));
  if (!reader.finish() || format != format_one || share.index == 0 || share.threshold < 2)
    return Error{ErrorKind::invalid_input, "a share of another kind"};
  return share;
}

}  // namespace mailhold::keys
