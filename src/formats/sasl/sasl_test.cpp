#include <gtest/gtest.h>

#include "base/text.h"
#include "formats/sasl/credential.h"
#include "formats/sasl/scram.h"

namespace mailhold::sasl {
namespace {

// RFC 7677 section 3.
const std::string nonce = "rOprNGfwEbeRWgbNEkqO";
const std::string server_first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

TEST(Scram, the_dialogue_of_rfc_7677_comes_out) {
  const ScramDialogue dialogue("user", nonce);
  EXPECT_EQ(dialogue.client_first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  const auto question = dialogue.question(server_first);
  ASSERT_TRUE(question);
  const auto answer = answer_scram("user", "pencil", *question);
  ASSERT_TRUE(answer);
  EXPECT_EQ(dialogue.client_final(*question, *answer),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_TRUE(ScramDialogue::check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", *answer));
  EXPECT_EQ(ScramDialogue::check("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", *answer).error().kind, ErrorKind::denied);
  EXPECT_FALSE(ScramDialogue::check("e=other-error", *answer));
}

TEST(Scram, a_server_that_breaks_the_protocol_gets_no_proof) {
  const ScramDialogue dialogue("user", nonce);
  for (const char* message : {"", "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",      // our nonce and nothing more
                              "r=somethingelse,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",                 // another nonce
                              "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",                                 // no salt
                              "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",            // easy to guess
                              "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000",   // endless work
                              "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"}) {  // an extension
    EXPECT_FALSE(dialogue.question(message)) << message;
    EXPECT_FALSE(answer_scram("user", "pencil", {"n=user,r=" + nonce, message})) << message;
  }
}

TEST(Scram, the_password_answers_for_its_own_user_only) {
  EXPECT_EQ(answer_scram("user", "pencil", {"n=other,r=" + nonce, server_first}).error().kind, ErrorKind::denied);
  EXPECT_TRUE(ScramDialogue("a=b,c", nonce).client_first() == "n,,n=a=3Db=2Cc,r=" + nonce);
}

TEST(Credential, the_best_mechanism_is_chosen) {
  EXPECT_EQ(*choose({"plain", "LOGIN", "SCRAM-SHA-256"}, false), Mechanism::scram_sha_256);
  EXPECT_EQ(*choose({"LOGIN", "PLAIN"}, false), Mechanism::plain);
  EXPECT_EQ(*choose({"LOGIN"}, false), Mechanism::login);
  EXPECT_EQ(*choose({"PLAIN", "XOAUTH2"}, true), Mechanism::xoauth2);
  EXPECT_EQ(choose({"PLAIN"}, true).error().kind, ErrorKind::denied);
  EXPECT_EQ(choose({"CRAM-MD5"}, false).error().kind, ErrorKind::denied);
}

TEST(Credential, xoauth2_holds_no_control_characters) {
  EXPECT_EQ(xoauth2("ann", "token")->reveal(), "user=ann\1auth=Bearer token\1\1");
  EXPECT_FALSE(xoauth2("ann\1", "token"));
  EXPECT_EQ(read_plain(std::string_view("\0ann\0secret", 11))->password, "secret");
  EXPECT_FALSE(read_plain("ann"));
}

}  // namespace
}  // namespace mailhold::sasl
