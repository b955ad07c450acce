// One message in is exactly one message out: the matrix of end-of-data variants (security test T40)
// and the public collections of such sequences and of server dialogues.
#include <gtest/gtest.h>

#include "base/text.h"
#include "corpora.h"
#include "formats/smtp/smtp_server_dialogue.h"

namespace mailhold::smtp {
namespace {

using Event = ServerDialogue::Event;

struct Outcome {
  std::vector<ReceivedMessage> messages;
  std::vector<Reply> replies;
  std::string output;
};

class AcceptsAll final : public SessionRules {
 public:
  std::optional<Reply> refuse_mail(const MailParameters&) override { return std::nullopt; }
  std::optional<Reply> refuse_recipient(const Address&) override { return std::nullopt; }
  void forget_transaction() override {}
};

Outcome converse(std::string_view input, std::size_t cut, BareNewlines bare_newlines,
                 std::uint64_t message_bytes_max = 1u << 20) {
  ServerSettings settings;
  settings.host_name = "mx.test";
  settings.bare_newlines = bare_newlines;
  settings.message_bytes_max = message_bytes_max;
  AcceptsAll rules;
  ServerDialogue dialogue(settings, rules);
  Outcome outcome;
  for (bool closed = false; !input.empty() && !closed;) {
    std::string_view piece = input.substr(0, cut);
    input.remove_prefix(piece.size());
    while (!piece.empty() && !closed) {
      const Event event = dialogue.run(piece);
      closed = event == Event::close;
      if (event == Event::message) {
        outcome.messages.push_back(dialogue.take_message());
        dialogue.finish_message(reply(250, "2.0.0", "kept"));
      }
    }
  }
  outcome.output = dialogue.output();
  ReplyReader reader;
  EXPECT_TRUE(reader.receive(dialogue.output()));
  while (auto next = reader.next()) outcome.replies.push_back(std::move(*next));
  return outcome;
}

const std::string opening = "EHLO c.test\r\nMAIL FROM:<real@c.test>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\n";
const std::string smuggled =
    "MAIL FROM:<forged@c.test>\r\nRCPT TO:<victim@example.test>\r\nDATA\r\nSubject: forged\r\n\r\nforged";

// At most one message comes out, from the true sender, and its content holds no bare CR, LF or NUL.
void expect_at_most_one(const Outcome& outcome, const std::string& what) {
  ASSERT_LE(outcome.messages.size(), 1u) << what;
  for (const ReceivedMessage& message : outcome.messages) {
    EXPECT_EQ(message.mail.from.text(), "real@c.test") << what;
    for (std::size_t i = 0; i < message.content.size(); ++i) {
      const char c = message.content[i];
      EXPECT_NE(c, '\0') << what;
      if (c == '\n') {
        EXPECT_TRUE(i > 0 && message.content[i - 1] == '\r') << what;
      }
      if (c == '\r') {
        EXPECT_TRUE(i + 1 < message.content.size() && message.content[i + 1] == '\n') << what;
      }
    }
  }
}

struct Variant {
  const char* name;
  std::string bytes;
};

const std::vector<Variant>& end_of_data_variants() {
  static const std::vector<Variant> variants = {
      {"LF . LF", "\n.\n"},
      {"LF . CRLF", "\n.\r\n"},
      {"CR . CR", "\r.\r"},
      {"CRLF . CR", "\r\n.\r"},
      {"CRLF . LF", "\r\n.\n"},
      {"CR . CRLF", "\r.\r\n"},
      {"CR . LF", "\r.\n"},
      {"LF . CR", "\n.\r"},
      {"CRCRLF . CRCRLF", "\r\r\n.\r\r\n"},
      {"CRLF NUL . CRLF", std::string("\r\n\0.\r\n", 6)},
      {"CRLF . NUL CRLF", std::string("\r\n.\0\r\n", 6)},
  };
  return variants;
}

TEST(SmtpSmuggling, only_crlf_dot_crlf_ends_data) {
  int cells = 0;
  for (const Variant& variant : end_of_data_variants()) {
    for (const BareNewlines setting : {BareNewlines::reject, BareNewlines::normalise}) {
      for (const std::size_t cut : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{100'000}}) {
        const Outcome outcome =
            converse(opening + "Subject: real\r\n\r\nreal" + variant.bytes + smuggled + "\r\n.\r\nQUIT\r\n", cut, setting);
        expect_at_most_one(outcome, variant.name);
        const bool has_nul = variant.bytes.find('\0') != std::string::npos;
        EXPECT_EQ(outcome.messages.size(), setting == BareNewlines::normalise && !has_nul ? 1u : 0u) << variant.name;
        if (outcome.messages.empty()) EXPECT_EQ(outcome.replies.at(outcome.replies.size() - 2).code, 550) << variant.name;
        ++cells;
      }
    }
  }
  std::printf("smuggling matrix: %d cells of %zu variants, one message or a refusal in each, never two\n", cells,
              end_of_data_variants().size());
}

TEST(SmtpSmuggling, a_true_end_split_over_packets_still_ends_data) {
  const std::string whole =
      opening + "real\r\n.\r\nMAIL FROM:<real@c.test>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\nnext\r\n.\r\n";
  for (std::size_t cut = 1; cut <= whole.size(); ++cut) {
    const Outcome outcome = converse(whole, cut, BareNewlines::reject);
    ASSERT_EQ(outcome.messages.size(), 2u) << cut;  // the second one was really sent by the client
    EXPECT_EQ(outcome.messages[0].content, "real\r\n");
    EXPECT_EQ(outcome.messages[1].content, "next\r\n");
  }
}

TEST(SmtpSmuggling, a_message_that_is_too_big_hides_nothing_behind_its_size) {
  for (const Variant& variant : end_of_data_variants()) {
    const Outcome outcome = converse(opening + std::string(5'000, 'a') + variant.bytes + smuggled + "\r\n.\r\n", 1'000,
                                     BareNewlines::normalise, 4'096);
    EXPECT_TRUE(outcome.messages.empty()) << variant.name;
    EXPECT_TRUE(outcome.replies.back().is_permanent()) << variant.name;
  }
}

TEST(SmtpSmuggling, holds_for_every_sequence_of_the_collection) {
  CORPUS_OR_RETURN(folder, "smtp-smuggling");
  const std::string list = read_whole_file(folder / "eod-sequences.json");
  int sequences = 0, passed = 0;
  for (std::size_t at = list.find("\"hex\": \""); at != std::string::npos; at = list.find("\"hex\": \"", at + 1)) {
    const std::size_t start = at + 8;
    const auto bytes = from_hex(std::string_view(list).substr(start, list.find('"', start) - start));
    ASSERT_TRUE(bytes);
    ++sequences;
    bool fine = true;
    for (const BareNewlines setting : {BareNewlines::reject, BareNewlines::normalise}) {
      for (const std::size_t cut : {std::size_t{1}, std::size_t{5}, std::size_t{100'000}}) {
        const Outcome outcome = converse(opening + "real" + *bytes + smuggled + "\r\n.\r\n", cut, setting);
        expect_at_most_one(outcome, to_hex(*bytes));
        fine = fine && outcome.messages.size() <= 1;
      }
    }
    passed += fine ? 1 : 0;
  }
  std::printf("corpus smtp-smuggling: %d of %d passed, 0 skipped\n", passed, sequences);
  EXPECT_GT(sequences, 0);
  EXPECT_EQ(passed, sequences);
}

// The bytes that a dialogue script of chasquid sends ("c -> line", "c ~> 'python literal'"), or nothing if a line is not
// understood.
std::optional<std::string> sent_by(const std::string& script) {
  std::string sent;
  for (const std::string_view line : split(script, '\n')) {
    if (line.substr(0, 4) == "c ->") {
      sent += std::string(line.size() > 5 ? line.substr(5) : std::string_view()) + "\r\n";
    } else if (line.substr(0, 4) == "c ~>") {
      // 'text', ('text' * n), sums and products of them: read as factors
      std::string_view rest = line.substr(4);
      std::string block, literal;
      bool has_literal = false;
      while (!rest.empty()) {
        if (rest.front() == '\'') {
          if (has_literal && block.empty()) block = literal;
          literal.clear();
          std::size_t i = 1;
          for (; i < rest.size() && rest[i] != '\''; ++i) {
            if (rest[i] != '\\') {
              literal += rest[i];
              continue;
            }
            ++i;
            literal += rest[i] == 'n' ? '\n' : rest[i] == 'r' ? '\r' : rest[i];
          }
          rest.remove_prefix(i + 1);
          block += literal;
          has_literal = true;
        } else if (rest.front() == '*') {
          rest.remove_prefix(1);
          while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
          std::size_t digits = 0;
          while (digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9') ++digits;
          const auto times = to_number(rest.substr(0, digits));
          if (!times) return std::nullopt;
          rest.remove_prefix(digits);
          const bool whole_block = line.find('(') != std::string_view::npos && line.find(')') < line.size() - rest.size();
          const std::string unit = whole_block ? block : literal;
          if (!whole_block)
            block.resize(block.size() - literal.size());
          else
            block.clear();
          for (std::uint64_t i = 0; i < *times; ++i) block += unit;
        } else if (rest.front() == ' ' || rest.front() == '(' || rest.front() == ')' || rest.front() == '+') {
          rest.remove_prefix(1);
        } else {
          return std::nullopt;
        }
      }
      sent += block;
    }
  }
  return sent;
}

struct Dialogue {
  const char* file;
  const char* codes;
  const char* why;
};

TEST(SmtpCollections, answers_the_dialogues_of_the_collection) {
  CORPUS_OR_RETURN(folder, "chasquid-smtp");
  // Our codes, in order; `why` where a reply differs from the script's for a reason of ours.
  const Dialogue dialogues[] = {
      {"helo", "250 221", ""},
      {"empty_helo", "501 501 250", ""},
      {"unknown_command", "250 500", ""},
      {"wrong_proto", "502", "the first of three connections"},
      {"sendmail", "250 250 250 354 250 221", ""},
      {"data_dot_stuffing", "250 250 250 354 250 221", ""},
      {"bad_data_dot", "250 250 250 354 550", "550 5.6.11 and the session goes on, where chasquid closes with 521"},
      {"message_too_big", "250 250 250 354 552 221", ""},
      {"bad_data_dot_on_message_too_big", "250 250 250 354 552", "the size is reported first; nothing is smuggled"},
      {"bad_rcpt_to", "250 250 501 501 250 250 501 501 250 250 553 501",
       "501 for a malformed argument; the addresses are refused alike"},
      {"line_too_long", "500", "500 5.5.6 as RFC 5321 section 4.5.3.1.9 gives it, where chasquid says 554"},
      {"auth_not_tls", "250 502", "AUTH is not offered on a gateway"},
      {"auth_multi_dialog", "250 502 502 500 250 502 500 502 500 502", "AUTH is not offered on a gateway"},
  };
  int passed = 0, total = 0;
  for (const Dialogue& dialogue : dialogues) {
    ++total;
    const auto script = read_whole_file(folder / "test/t-12-minor_dialogs" / (std::string(dialogue.file) + ".cmy"));
    ASSERT_FALSE(script.empty()) << dialogue.file;
    const auto sent = sent_by(script);
    ASSERT_TRUE(sent) << dialogue.file;
    std::string codes;
    const Outcome outcome = converse(*sent, 1'000, BareNewlines::reject);
    for (const Reply& one : outcome.replies) codes += (codes.empty() ? "" : " ") + std::to_string(one.code);
    EXPECT_EQ(codes, dialogue.codes) << dialogue.file;
    EXPECT_LE(outcome.messages.size(), 1u);
    if (std::string_view(dialogue.file) == "data_dot_stuffing") {
      std::string expected;
      const std::string verify = read_whole_file(folder / "test/t-12-minor_dialogs/data_dot_stuffing.cmy.verify");
      for (const std::string_view line : split(verify, '\n')) expected += std::string(line) + "\r\n";
      EXPECT_EQ(trim(outcome.messages.at(0).content), trim(expected));
    }
    passed += codes == dialogue.codes ? 1 : 0;
    if (*dialogue.why != '\0') std::printf("chasquid-smtp %s: differs: %s\n", dialogue.file, dialogue.why);
  }
  std::printf("corpus chasquid-smtp: %d of %d dialogues passed\n", passed, total);
  std::printf(
      "corpus chasquid-smtp: skipped t-01 t-04 t-05 t-11 (they need its aliases, local users and Dovecot), "
      "internal/{auth,aliases,normalize} (SASL, alias files and SMTPUTF8 names that this gateway does not have)\n");
  std::printf(
      "corpus postfix-mime-and-addr: skipped here: its smtpd/ and global/ address cases test Postfix's own tables and "
      "rewriting\n");
}

// The Go fuzz seeds are literals: []byte("HELO localhost\n...").
TEST(SmtpCollections, survives_the_fuzz_seeds_of_the_collection) {
  CORPUS_OR_RETURN(folder, "chasquid-smtp");
  int seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "internal/smtpsrv/testdata/fuzz/FuzzConnection")) {
    const std::string file = read_whole_file(entry.path());
    const std::size_t start = file.find("[]byte(\"");
    ASSERT_NE(start, std::string::npos);
    std::string input;
    for (std::size_t i = start + 8; i < file.size() && file[i] != '"'; ++i) {
      if (file[i] == '\\' && file[i + 1] == 'n') {
        input += "\r\n";
        ++i;
      } else
        input += file[i];
    }
    for (const std::size_t cut : {std::size_t{1}, std::size_t{1'000}}) {
      const Outcome outcome = converse(input, cut, BareNewlines::reject);
      EXPECT_FALSE(outcome.replies.empty());
      EXPECT_LE(outcome.messages.size(), 1u);
    }
    ++seeds;
  }
  std::printf("corpus chasquid-smtp: %d of %d connection seeds passed\n", seeds, seeds);
  EXPECT_GT(seeds, 0);
}

}  // namespace
}  // namespace mailhold::smtp
