#include "formats/tlog/note.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "formats/tlog/checkpoint.h"

namespace mailhold::tlog {
namespace {

// The published example of the signed-note format.
constexpr const char* example_key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const std::string example_note =
    "This is an example message.\n\n\xE2\x80\x94 example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

crypto::Ed25519Signer signer_of(char letter) { return *crypto::Ed25519Signer::from_seed(std::string(32, letter)); }

TEST(SignedNote, T31_the_published_example_verifies) {
  const NoteKey key = *NoteKey::parse(example_key);
  EXPECT_EQ(key.id(), 0x530d903aU);
  EXPECT_EQ(key.text(), example_key);
  const SignedNote note = *SignedNote::parse(example_note);
  EXPECT_EQ(note.text, "This is an example message.\n");
  EXPECT_TRUE(verify_note(note, key));
  EXPECT_EQ(note.encode(), example_note);
}

TEST(SignedNote, T31_one_changed_bit_of_the_example_is_refused) {
  const NoteKey key = *NoteKey::parse(example_key);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < example_note.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = example_note;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      const auto note = SignedNote::parse(changed);
      if (!note || !verify_note(*note, key)) ++refused;
    }
  }
  EXPECT_EQ(refused, example_note.size() * 8);
}

TEST(SignedNote, a_key_with_a_wrong_id_is_no_key) {
  std::string text = example_key;
  text[16] = '6';
  EXPECT_EQ(NoteKey::parse(text).error().kind, ErrorKind::invalid_input);
  for (const char* wrong : {"", "a", "a+b", "a+b+c", "a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"}) {
    EXPECT_FALSE(NoteKey::parse(wrong)) << wrong;
  }
}

TEST(SignedNote, what_we_sign_verifies_and_foreign_signatures_are_ignored) {
  SignedNote note{"first\n\nsecond\n", {}};
  ASSERT_TRUE(sign_note(note, "witness.example", signer_of('w')));
  ASSERT_TRUE(sign_note(note, "log.example", signer_of('l')));
  const SignedNote again = *SignedNote::parse(note.encode());
  EXPECT_EQ(again.text, note.text);
  EXPECT_TRUE(verify_note(again, {"log.example", signer_of('l').public_key()}));
  EXPECT_EQ(verify_note(again, {"log.example", signer_of('x').public_key()}).error().kind, ErrorKind::denied);
  EXPECT_EQ(verify_note(again, {"other.example", signer_of('l').public_key()}).error().kind, ErrorKind::denied);
}

TEST(SignedNote, a_second_wrong_signature_under_a_known_name_spoils_the_note) {
  SignedNote note{"text\n", {}};
  ASSERT_TRUE(sign_note(note, "log.example", signer_of('l')));
  NoteSignature wrong = note.signatures[0];
  wrong.signature[5] ^= 1;
  note.signatures.push_back(wrong);
  EXPECT_EQ(verify_note(note, {"log.example", signer_of('l').public_key()}).error().kind, ErrorKind::corrupt);
}

TEST(SignedNote, malformed_notes_are_refused) {
  const std::string line = example_note.substr(example_note.find("\xE2"));
  for (const std::string& bytes :
       {std::string(), std::string("text\n"), std::string("text\n\n"), "text\n" + line,
        "text\n\n" + line.substr(0, line.size() - 1), "te\rxt\n\n" + line, "te\x80xt\n\n" + line, "text\n\n" + line + "\n",
        std::string("text\n\n- name AAAAAAA=\n"), std::string("text\n\n\xE2\x80\x94 name AAAA\n"),
        std::string("text\n\n\xE2\x80\x94 na+me AAAAAAA=\n"), std::string("text\n\n\xE2\x80\x94 na\xC2\xA0me AAAAAAA=\n"),
        std::string("te\0xt\n\n", 7) + line}) {
    EXPECT_EQ(SignedNote::parse(bytes).error().kind, ErrorKind::corrupt) << bytes;
  }
  std::string many = "text\n\n";
  for (std::size_t i = 0; i <= note_signatures_max; ++i) many += line;
  EXPECT_FALSE(SignedNote::parse(many));
  EXPECT_TRUE(SignedNote::parse("\xC3\xA8 subito sera\n\n" + line));
}

TEST(SignedNote, a_name_or_text_that_would_break_the_note_is_not_signed) {
  SignedNote note{"text\n", {}};
  EXPECT_FALSE(sign_note(note, "two words", signer_of('l')));
  EXPECT_FALSE(sign_note(note, "", signer_of('l')));
  note.text = "no line end";
  EXPECT_FALSE(sign_note(note, "log.example", signer_of('l')));
}

TEST(Checkpoint, is_read_back_as_it_was_written) {
  const Checkpoint checkpoint{"mailhold.example/eu", 20852163, hash_leaf("x"), {"opaque extension"}};
  const Checkpoint again = *Checkpoint::parse(checkpoint.text());
  EXPECT_EQ(again.origin, checkpoint.origin);
  EXPECT_EQ(again.size, checkpoint.size);
  EXPECT_EQ(again.root, checkpoint.root);
  EXPECT_EQ(again.extensions, checkpoint.extensions);
  EXPECT_EQ(again.text(), checkpoint.text());
}

TEST(Checkpoint, malformed_text_is_refused) {
  const std::string root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
  ASSERT_TRUE(Checkpoint::parse("example.com/log\n20852163\n" + root));
  for (const std::string& text :
       {std::string(), std::string("\n"), "o\n1\n" + root.substr(0, root.size() - 1), "\n1\n" + root, "o\n01\n" + root,
        "o\n-1\n" + root, "o\n99999999999999999999\n" + root, "o\n9223372036854775808\n" + root, std::string("o\n1\nAAAA\n"),
        "o\n1\n" + root + "\n", "o\n1 \n" + root, std::string("o\n1\n")}) {
    EXPECT_EQ(Checkpoint::parse(text).error().kind, ErrorKind::corrupt) << text;
  }
}

TEST(Checkpoint, opens_only_for_the_log_it_names) {
  const Checkpoint checkpoint{"log.example", 5, hash_leaf("x"), {}};
  SignedNote note{checkpoint.text(), {}};
  ASSERT_TRUE(sign_note(note, "log.example", signer_of('l')));
  EXPECT_EQ(open_checkpoint(note.encode(), {"log.example", signer_of('l').public_key()})->size, 5U);
  SignedNote other{Checkpoint{"other.example", 5, hash_leaf("x"), {}}.text(), {}};
  ASSERT_TRUE(sign_note(other, "log.example", signer_of('l')));
  EXPECT_EQ(open_checkpoint(other.encode(), {"log.example", signer_of('l').public_key()}).error().kind, ErrorKind::corrupt);
}

}  // namespace
}  // namespace mailhold::tlog
