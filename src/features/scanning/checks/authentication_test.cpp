#include "features/scanning/checks/authentication.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "corpora.h"
#include "formats/authres/authres.h"
#include "formats/dkim/canonical.h"
#include "platform/crypto/ed25519.h"
#include "platform/crypto/hash.h"

namespace mailhold::authentication {
namespace {

const dmarc::PublicSuffixes& suffixes() {
  static const dmarc::PublicSuffixes list = dmarc::PublicSuffixes::built_in().value();
  return list;
}

const std::string attacker_seed(32, 'a');
const std::string owner_seed(32, 'o');

std::string key_record(const std::string& seed) {
  return "v=DKIM1; k=ed25519; p=" + to_base64(crypto::Ed25519Signer::from_seed(seed)->public_key());
}

// legitimate.com and example.com send from 203.0.113.1 only and ask for rejection; all of attack.com says yes to everything.
dns::Answer answer(const dns::Question& question) {
  const auto text = [](const std::string& record) {
    return dns::Answer{.status = dns::AnswerStatus::ok, .records = {{record, 0}}};
  };
  if (question.type != dns::RecordType::txt) return {.status = dns::AnswerStatus::nodata};
  for (const char* domain : {"legitimate.com", "example.com"}) {
    if (question.name == domain) return text("v=spf1 ip4:203.0.113.1 -all");
    if (question.name == std::string("_dmarc.") + domain) return text("v=DMARC1; p=reject");
    if (question.name == std::string("sel._domainkey.") + domain) return text(key_record(owner_seed));
  }
  // The attacker's own server answers for whatever an ambiguous name might lead to.
  if (question.name.find("_domainkey") != std::string::npos && question.name.find("attack.com") != std::string::npos)
    return text(key_record(attacker_seed));
  if (question.name == "_dmarc.attack.com") return text("v=DMARC1; p=none");
  if (question.name.ends_with("attack.com")) return text("v=spf1 +all");
  return {.status = dns::AnswerStatus::nxdomain};
}

AuthenticationInput input_for(std::string_view message, const std::string& mail_from,
                              const std::string& client = "198.51.100.66") {
  return {.client_ip = *dns::parse_address(client),
          .helo = "mail.attack.com",
          .mail_from = mail_from,
          .message = dkim::split_message(message),
          .authserv_id = "mx.example.net",
          .now = std::chrono::sys_seconds(std::chrono::seconds(1'790'000'000))};
}

const std::string honest = "From: Ann <ann@legitimate.com>\r\nTo: bo@example.org\r\nSubject: hello\r\n\r\nHi\r\n";

std::string signed_by_owner(const std::string& message) {
  dkim::SigningRequest request;
  request.domain = "legitimate.com";
  request.selector = "sel";
  request.private_key = SecretText::copy_of(owner_seed);
  return *dkim::sign(dkim::split_message(message), request) + message;
}

TEST(Authentication, of_honest_mail_passes_by_spf_or_dkim) {
  const auto by_spf = evaluate(input_for(honest, "bounce@legitimate.com", "203.0.113.1"), suffixes(), answer);
  EXPECT_EQ(by_spf.dmarc.outcome, dmarc::Outcome::pass);
  const std::string text = signed_by_owner(honest);
  const auto by_dkim = evaluate(input_for(text, "list@attack.com"), suffixes(), answer);
  EXPECT_EQ(by_dkim.authenticated_domain, "legitimate.com");
  const auto header = authres::parse(by_dkim.header_value);
  ASSERT_TRUE(header);
  ASSERT_EQ(header->results.size(), 3u);
  EXPECT_EQ(header->results[0].result, "pass");
  EXPECT_EQ(header->results[1].result, "pass");
  EXPECT_EQ(header->results[2].result, "pass");
  EXPECT_EQ(by_dkim.header_field, "Authentication-Results: " + by_dkim.header_value + "\r\n");
}

TEST(Authentication, of_a_forged_author_fails_with_the_owners_policy) {
  const auto result = evaluate(input_for(honest, "any@attack.com"), suffixes(), answer);
  EXPECT_EQ(result.spf.outcome, spf::Outcome::pass);
  EXPECT_EQ(result.dmarc.outcome, dmarc::Outcome::fail);
  EXPECT_EQ(result.dmarc.disposition, dmarc::Policy::reject);
  EXPECT_EQ(result.authenticated_domain, "");
}

TEST(Authentication, text_added_after_a_length_limited_signature_is_not_authenticated) {
  dkim::MessageView view = dkim::split_message(honest);
  std::string field =
      "DKIM-Signature: v=1; a=ed25519-sha256; d=legitimate.com; s=sel; h=from; l=4; bh=" + to_base64(crypto::sha256("Hi\r\n")) +
      "; b=";
  const std::string header = dkim::signed_header(view, {"from"}, dkim::Canonical::simple, field, {});
  const std::string message =
      field + to_base64(crypto::Ed25519Signer::from_seed(owner_seed)->sign(crypto::sha256(header))) + "\r\n" + honest;
  EXPECT_EQ(evaluate(input_for(message, "any@attack.com"), suffixes(), answer).dmarc.outcome, dmarc::Outcome::pass);
  const std::string longer = message + "pay here\r\n";
  const auto result = evaluate(input_for(longer, "any@attack.com"), suffixes(), answer);
  EXPECT_EQ(result.dkim.at(0).outcome, dkim::Outcome::policy);
  EXPECT_EQ(result.dmarc.disposition, dmarc::Policy::reject);
}

TEST(Authentication, an_unreachable_name_server_of_the_attacker_changes_nothing) {
  const auto with_failures = [](const dns::Question& question) {
    return question.name.ends_with("attack.com") ? dns::Answer{.status = dns::AnswerStatus::servfail} : answer(question);
  };
  EXPECT_EQ(evaluate(input_for(honest, "any@attack.com"), suffixes(), with_failures).dmarc.disposition, dmarc::Policy::reject);
  const auto own_failures = [](const dns::Question& question) {
    return question.name == "legitimate.com" ? dns::Answer{.status = dns::AnswerStatus::timeout} : answer(question);
  };
  EXPECT_EQ(evaluate(input_for(honest, "any@legitimate.com"), suffixes(), own_failures).dmarc.outcome, dmarc::Outcome::temperror);
}

TEST(Authentication, finds_results_that_pretend_to_be_ours) {
  const std::string message =
      "Authentication-Results: MX.example.net; dmarc=pass\r\nAuthentication-Results: other.example; spf=pass\r\n"
      "authentication-results : (x) mx.example.net; spf=pass\r\n" +
      honest;
  EXPECT_EQ(evaluate(input_for(message, "a@attack.com"), suffixes(), answer).forged_results, (std::vector<std::size_t>{0, 2}));
}

TEST(Authentication, asks_first_what_it_is_sure_to_ask) {
  const std::string text = signed_by_owner(signed_by_owner(honest));
  const AuthenticationInput input = input_for(text, "a@sub.legitimate.com");
  const auto questions = first_questions(input, suffixes());
  const std::vector<dns::Question> wanted{{"sub.legitimate.com", dns::RecordType::txt},
                                          {"sel._domainkey.legitimate.com", dns::RecordType::txt},
                                          {"_dmarc.legitimate.com", dns::RecordType::txt}};
  EXPECT_EQ(questions, wanted);
  evaluate(input, suffixes(), [&](const dns::Question& question) {
    EXPECT_NE(std::find(questions.begin(), questions.end(), question), questions.end()) << question.name;
    return answer(question);
  });
}

struct SpoofCase {
  std::string id, mail_from, eml, domain, selector;
};

std::string unquoted(const std::string& text) {  // the few escapes of these JSON files
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      plain += text[at];
      continue;
    }
    if (text[at + 1] == 'u') {
      plain += static_cast<char>(std::stoi(text.substr(at + 2, 4), nullptr, 16));
      at += 5;
      continue;
    }
    const char letter = text[++at];
    plain += letter == 'r' ? '\r' : letter == 'n' ? '\n' : letter == 't' ? '\t' : letter;
  }
  return plain;
}

std::vector<SpoofCase> spoof_cases(const std::string& json) {
  std::vector<SpoofCase> cases;
  for (std::string_view line : split(json, '\n')) {
    line = trim(line);
    const std::size_t colon = line.find("\": ");
    if (colon == std::string_view::npos || !line.starts_with('"')) continue;
    const std::string_view key = line.substr(1, colon - 1);
    std::string_view value = line.substr(colon + 3);
    if (value.ends_with(',')) value.remove_suffix(1);
    if (value.size() < 2 || value[0] != '"') continue;
    const std::string text = unquoted(std::string(value.substr(1, value.size() - 2)));
    if (key == "id") cases.push_back({text, {}, {}, {}, {}});
    if (cases.empty()) continue;
    if (key == "mailfrom") cases.back().mail_from = text;
    if (key == "eml") cases.back().eml = text;
    if (key == "d") cases.back().domain = text;
    if (key == "s") cases.back().selector = text;
  }
  return cases;
}

// A right signature by the attacker's key with the names as the case wants them, which our own signer refuses to write.
std::string signed_by_attacker(const SpoofCase& spoof, const std::string& message) {
  const dkim::MessageView view = dkim::split_message(message);
  const std::string body_hash = dkim::hash_body(view.body, dkim::Canonical::simple, std::nullopt).sha256;
  const std::string field = "DKIM-Signature: v=1; a=ed25519-sha256; d=" + spoof.domain + "; s=" + spoof.selector +
                            "; h=from:subject; bh=" + to_base64(body_hash) + "; b=";
  const std::string header = dkim::signed_header(view, {"from", "subject"}, dkim::Canonical::simple, field, {});
  return field + to_base64(crypto::Ed25519Signer::from_seed(attacker_seed)->sign(crypto::sha256(header))) + "\r\n" + message;
}

TEST(Authentication, no_espoofer_case_is_authenticated_as_legitimate_com) {
  CORPUS_OR_RETURN(folder, "espoofer-cases");
  std::map<std::string, int> counts;
  int judged = 0;
  for (const SpoofCase& spoof : spoof_cases(read_whole_file(folder / "cases.json"))) {
    std::string message = read_whole_file(folder / spoof.eml);
    if (!spoof.domain.empty()) message = signed_by_attacker(spoof, message);
    ASSERT_GE(spoof.mail_from.size(), 2u);
    const std::string mail_from = spoof.mail_from.substr(1, spoof.mail_from.size() - 2);
    // The client cases go through the account that the attacker has at example.com, so from its servers.
    const bool is_client_case = spoof.id.starts_with("client");
    const auto result =
        evaluate(input_for(message, mail_from, is_client_case ? "203.0.113.1" : "198.51.100.66"), suffixes(), answer);
    ++judged;
    EXPECT_NE(result.authenticated_domain, "legitimate.com") << spoof.id;
    EXPECT_FALSE(result.dmarc.outcome == dmarc::Outcome::pass && result.dmarc.from_domain == "legitimate.com") << spoof.id;
    const auto header = authres::parse(result.header_value);
    ASSERT_TRUE(header) << spoof.id << result.header_value;
    for (const auto& entry : header->results) {
      for (const auto& property : entry.properties) {
        EXPECT_FALSE(entry.result == "pass" &&
                     (property.value == "legitimate.com" || property.value.ends_with("@legitimate.com")))
            << spoof.id;
      }
    }
    // client_a3 writes a colleague's address by an honest account; only example.com itself could have refused that.
    if (is_client_case && spoof.id != "client_a3") EXPECT_EQ(result.dmarc.outcome, dmarc::Outcome::permerror) << spoof.id;
    ++counts[std::string("dmarc=") + std::string(dmarc::name_of(result.dmarc.outcome)) +
             (result.authenticated_domain.empty() ? "" : " as " + result.authenticated_domain)];
  }
  EXPECT_EQ(judged, 17);
  std::printf("espoofer: %d cases, none authenticated as legitimate.com\n", judged);
  for (const auto& [what, count] : counts) std::printf("espoofer: %2d %s\n", count, what.c_str());
}

// Grammar-made From fields that readers take for different authors. Whatever is accepted must hold one address and nothing
// encoded.
TEST(Authentication, no_from_field_with_two_readings_gets_a_domain) {
  CORPUS_OR_RETURN(folder, "weak-links-from-fuzz");
  int accepted = 0;
  int refused = 0;
  const std::string json = read_whole_file(folder / "fuzz.json");
  for (std::string_view line : split(json, '\n')) {
    line = trim(line);
    if (line.ends_with(',')) line.remove_suffix(1);
    if (line.size() < 2 || line.front() != '"' || line.back() != '"') continue;
    std::string header = unquoted(std::string(line.substr(1, line.size() - 2)));
    if (!header.ends_with("\r\n")) header += "\r\n";
    const std::string message = header + "To: bo@example.org\r\n\r\nHi\r\n";
    const auto result = evaluate(input_for(message, "a@attack.com"), suffixes(), answer);
    if (result.dmarc.outcome == dmarc::Outcome::permerror) {
      ++refused;
      continue;
    }
    ++accepted;
    EXPECT_EQ(std::count(header.begin(), header.end(), '@'), 1) << header;
    EXPECT_EQ(header.find("=?"), std::string::npos) << header;
  }
  std::printf("weak links: %d From fields with one reading accepted, %d refused\n", accepted, refused);
  EXPECT_GT(accepted, 0);
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace mailhold::authentication
