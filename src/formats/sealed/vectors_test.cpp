// The format against the document and against an independent program: tests/formats/sealed_open.py was written from
// docs/formats/sealed.md alone and opens what is sealed here.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "base/id.h"
#include "base/random.h"
#include "base/text.h"
#include "corpora.h"
#include "formats/sealed/box.h"
#include "formats/sealed/chunks.h"
#include "formats/sealed/sealed.h"
#include "platform/crypto/x25519.h"

namespace mailhold::sealed {
namespace {

using Vector = std::map<std::string, std::string>;

// Bytes that count up from `first`: easy to recognise in a document.
std::string counting(std::size_t count, int first) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) bytes.push_back(static_cast<char>(static_cast<std::size_t>(first) + i));
  return bytes;
}

Context place_of(const Vector& vector) {
  Context place;
  place.region = vector.at("region");
  place.tenant = Id::parse(vector.at("tenant")).value();
  place.kind = static_cast<Kind>(to_number(vector.at("kind")).value());
  place.object_id = from_hex(vector.at("object")).value();
  place.field = static_cast<std::uint16_t>(to_number(vector.at("field")).value());
  place.version = to_number(vector.at("version")).value();
  place.key_id = Id::parse(vector.at("key_id")).value();
  place.key_version = static_cast<std::uint32_t>(to_number(vector.at("key_version")).value());
  place.extra = from_hex(vector.at("extra")).value();
  return place;
}

std::string text_of(const std::string& kind, std::string_view key, const Context& place, std::string_view plaintext,
                    std::string_view bytes) {
  std::string text;
  const auto line = [&](const char* name, const std::string& value) { text += std::string(name) + " = " + value + "\n"; };
  line("vector", kind);
  line("key", to_hex(key));
  line("region", place.region);
  line("tenant", place.tenant.text());
  line("kind", std::to_string(static_cast<int>(place.kind)));
  line("object", to_hex(place.object_id));
  line("field", std::to_string(place.field));
  line("version", std::to_string(place.version));
  line("key_id", place.key_id.text());
  line("key_version", std::to_string(place.key_version));
  line("extra", to_hex(place.extra));
  line("context", to_hex(place.encode()));
  line("plaintext", to_hex(plaintext));
  line("sealed", to_hex(bytes));
  return text + "\n";
}

std::vector<Vector> vectors_in(const std::filesystem::path& file) {
  std::vector<Vector> all;
  bool inside = false;
  const std::string text = read_whole_file(file);
  for (const std::string_view raw : split(text, '\n')) {
    const std::string_view line = trim(raw);
    const std::size_t equals = line.find(" =");
    if (equals == std::string_view::npos) {
      inside = false;
      continue;
    }
    const std::string name(line.substr(0, equals));
    if (name == "vector") {
      all.emplace_back();
      inside = true;
    }
    if (inside) all.back()[name] = std::string(trim(line.substr(equals + 2)));
  }
  return all;
}

// What the document shows. Salts are fixed here and nowhere else.
std::string vectors_of_the_document() {
  const std::string key = counting(32, 0);
  const std::string salt = counting(24, 0x40);
  Context place;
  place.region = "eu";
  place.tenant = Id::from_bytes(counting(16, 0xa0));
  place.kind = Kind::connection_secret;
  place.object_id = counting(16, 0xb0);
  place.version = 3;
  place.key_id = Id::from_bytes(counting(16, 0xc0));
  place.key_version = 1;
  place.extra = counting(32, 0xd0);
  std::string row = seal(key, place, "").substr(0, row_header_size);
  append_message(row, key, salt, place.encode(), "hunter2");
  std::string text = text_of("row", key, place, "hunter2", row);
  std::string compact;
  append_message(compact, key, salt, place.encode(), "");
  return text + text_of("compact", key, place, "", compact);
}

TEST(Vectors, those_of_the_document_open_and_are_ours) {
  const std::filesystem::path document = std::filesystem::path(MAILHOLD_SOURCE_DIR) / "docs/formats/sealed.md";
  const std::vector<Vector> vectors = vectors_in(document);
  ASSERT_EQ(vectors.size(), 3u);
  for (const Vector& vector : vectors) {
    const Context place = place_of(vector);
    const std::string key = from_hex(vector.at("key")).value();
    const std::string bytes = from_hex(vector.at("sealed")).value();
    EXPECT_EQ(to_hex(place.encode()), vector.at("context"));
    const std::string& kind = vector.at("vector");
    const auto opened = kind == "box"   ? open_box(key, place, bytes)
                        : kind == "row" ? open_secret(key, place, bytes)
                                        : open_compact_secret(key, place, bytes);
    ASSERT_TRUE(opened) << kind;
    EXPECT_EQ(to_hex(opened->reveal()), vector.at("plaintext"));
  }
  // Sealing again with the salt of the document gives the bytes of the document.
  const std::string text = read_whole_file(document);
  const std::string again = vectors_of_the_document();
  for (const std::string_view line : split(again, '\n')) {
    EXPECT_NE(text.find(line), std::string::npos) << again;
  }
}

TEST(Vectors, an_independent_program_opens_what_is_sealed_here) {
  const std::filesystem::path source = MAILHOLD_SOURCE_DIR;
  const std::filesystem::path file = std::filesystem::temp_directory_path() / ("sealed-vectors-" + Id::random().text());
  {
    std::ofstream out(file);
    for (const std::size_t size : {0u, 1u, 100u, 16383u, 16384u, 16385u, 32768u, 40000u}) {
      const std::string key = random_bytes(key_size);
      const std::string plaintext = random_bytes(size);
      const Context place{.region = "us-1",
                          .tenant = Id::random(),
                          .kind = Kind::message_part,
                          .object_id = random_bytes(size % 40),
                          .field = static_cast<std::uint16_t>(size),
                          .version = size * 1'000'003,
                          .key_id = Id::random(),
                          .key_version = static_cast<std::uint32_t>(size),
                          .extra = random_bytes(size % 33)};
      out << text_of("row", key, place, plaintext, seal(key, place, plaintext));
      out << text_of("compact", key, place, plaintext, seal_compact(key, place, plaintext));
      const crypto::X25519KeyPair recipient = crypto::x25519_generate();
      out << text_of("box", recipient.private_key.reveal(), place, plaintext,
                     seal_box(recipient.public_key, place, plaintext).value());
    }
  }
  const std::string command = "/usr/bin/python3 " + (source / "tests/formats/sealed_open.py").string() + " " +
                              (source / "docs/formats/sealed.md").string() + " " + file.string();
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace mailhold::sealed
