#include "formats/tlog/cosignature.h"

#include <gtest/gtest.h>

#include "formats/tlog/witness_request.h"

namespace mailhold::tlog {
namespace {

const crypto::Ed25519Signer& witness_signer() {
  static const auto signer = *crypto::Ed25519Signer::from_seed(std::string(32, 'w'));
  return signer;
}
const CosignerKey witness_key{"witness.example/w1", witness_signer().public_key()};
const std::string text = "example.com/log\n7\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

TEST(Cosignature, verifies_with_its_time_and_only_for_its_text_name_and_key) {
  SignedNote note{text, {cosign(text, witness_key.name, witness_signer(), 1'795'000'000)}};
  EXPECT_EQ(*verify_cosignature(note, witness_key), 1'795'000'000U);
  EXPECT_EQ(*verify_cosignature(*SignedNote::parse(note.encode()), witness_key), 1'795'000'000U);
  EXPECT_EQ(verify_cosignature(note, {"witness.example/w2", witness_key.public_key}).error().kind, ErrorKind::denied);
  EXPECT_EQ(verify_cosignature(note, {witness_key.name, std::string(32, 'x')}).error().kind, ErrorKind::denied);
  SignedNote other = note;
  other.text[17] = '8';
  EXPECT_EQ(verify_cosignature(other, witness_key).error().kind, ErrorKind::corrupt);
  for (std::size_t at = 0; at < note.signatures[0].signature.size(); ++at) {
    SignedNote changed = note;
    changed.signatures[0].signature[at] = static_cast<char>(changed.signatures[0].signature[at] ^ 1);
    EXPECT_FALSE(verify_cosignature(changed, witness_key)) << at;
  }
}

// The type byte keeps the two apart: a witness's line is no statement of the log, and the other way round.
TEST(Cosignature, is_not_taken_for_the_logs_own_signature) {
  const SignedNote note{text, {cosign(text, witness_key.name, witness_signer(), 1)}};
  EXPECT_FALSE(verify_note(note, {witness_key.name, witness_key.public_key}));
  SignedNote plain{text, {}};
  ASSERT_TRUE(sign_note(plain, witness_key.name, witness_signer()));
  EXPECT_FALSE(verify_cosignature(plain, witness_key));
  EXPECT_FALSE(CosignerKey::parse(NoteKey{witness_key.name, witness_key.public_key}.text()));
  EXPECT_FALSE(NoteKey::parse(witness_key.text()));
  EXPECT_EQ(CosignerKey::parse(witness_key.text())->id(), witness_key.id());
}

TEST(WitnessRequest, is_read_as_it_was_written_and_refused_otherwise) {
  const WitnessRequest request{20, {hash_leaf("a"), hash_leaf("b")}, text + "\nsignatures\n"};
  const auto again = WitnessRequest::parse(request.encode());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->old_size, 20U);
  EXPECT_EQ(again->proof, request.proof);
  EXPECT_EQ(again->note, request.note);
  for (const char* bad : {"", "old 1", "old 01\n\nx", "old -1\n\nx", "old 1\nAAAA\n\nx", "old 99999999999999999999\n\nx",
                          "new 1\n\nx", "old 1 \n\nx", "old 1\r\n\nx"}) {
    EXPECT_FALSE(WitnessRequest::parse(bad)) << bad;
  }
  WitnessRequest long_proof = request;
  long_proof.proof.assign(64, hash_leaf("a"));
  EXPECT_FALSE(WitnessRequest::parse(long_proof.encode()));
}

}  // namespace
}  // namespace mailhold::tlog
