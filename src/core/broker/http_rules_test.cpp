#include "core/broker/http_rules.h"

#include <gtest/gtest.h>

namespace mailhold::broker {
namespace {

const HttpRules rules({"GET /v1.0/users/{mailbox}/messages/**", "POST /v1.0/$batch", "GET /a/*/c", "GET /exact"},
                      {"ann@example.test"});

TEST(HttpRules, templates_say_what_passes) {
  EXPECT_EQ(rules.check("GET", "/v1.0/users/Ann@Example.test/messages/1/attachments", "")->mailboxes,
            std::vector<std::string>{"ann@example.test"});
  EXPECT_TRUE(rules.check("GET", "/v1.0/users/ann%40example.test/messages?$select=id", ""));
  EXPECT_TRUE(rules.check("GET", "/a/b/c", ""));
  EXPECT_TRUE(rules.check("GET", "/exact?x=y", ""));
  for (const char* target : {"/a//c", "/a/b/c/d", "/a/b", "/exact/", "/Exact", "/v1.0/users/eve@example.test/messages",
                             "/v1.0/users//messages", "exact"})
    EXPECT_FALSE(rules.check("GET", target, "")) << target;
  EXPECT_FALSE(rules.check("HEAD", "/exact", ""));
}

TEST(HttpRules, T19_a_path_that_could_be_read_in_two_ways_is_refused) {
  const std::string base = "/v1.0/users/ann@example.test/messages/";
  for (const char* rest : {"..", "../x", "./x", "%2e%2e/x", ".%2e/x", "..%2fx", "a%2Fb", "a%5cb", "a\\b", "a;b", "%252e", "%",
                           "%4", "%zz", "a%00b", "a%0d%0ab", "x?a=b#c", "x?a=b\\c"})
    EXPECT_FALSE(rules.check("GET", base + rest, "")) << rest;
}

TEST(HttpRules, what_is_written_lies_where_it_is_read) {
  const struct {
    const char *reads, *writes;
    bool lies_there;
  } cases[] = {{"GET /dav/ann/**", "PUT /dav/ann/**", true},
               {"PROPFIND /dav/ann/**", "MKCALENDAR /dav/ann", true},
               {"GET /**", "PUT /dav/{mailbox}/**", true},
               {"GET /dav/*/work/**", "PUT /dav/ann/work/1.ics", true},
               {"GET /dav/{mailbox}/work/**", "PUT /dav/{mailbox}/**", true},
               {"GET /dav/ann/**", "POST /v1.0/$batch", true},
               {"GET /dav/ann/**", "REPORT /dav/bob/**", true},
               {"GET /dav/ann/**", "PUT /dav/bob/**", false},
               {"GET /dav/ann/**", "POST /dav/bob/**", false},
               {"GET /dav/ann/**", "PUT /dav/**", false},
               {"GET /dav/ann/**", "PUT /dav/*/1.ics", false},
               {"GET /dav/ann/**", "PUT /dav/{mailbox}/**", false},
               {"GET /dav/ann", "PUT /dav/ann/1.ics", false},
               {"GET /dav/{mailbox}/**", "PUT /dav/*/**", false},
               {"GET /dav/{mailbox}/**", "PUT /dav/bob/**", false},
               {"GET /mail/{mailbox}/**", "PUT /dav/{mailbox}/**", false},
               {"PUT /dav/**", "PUT /dav/ann/**", false},
               {"POST /dav/**", "PUT /dav/ann/**", false},
               {"no template", "PUT /dav/ann/**", false}};
  for (const auto& [reads, writes, lies_there] : cases)
    EXPECT_EQ(writes_where_it_reads({reads}, {writes}), lies_there) << reads << "; " << writes;
  EXPECT_TRUE(writes_where_it_reads({"GET /a/**", "GET /b/**"}, {"PUT /a/**", "PUT /b/**", "GET /c"}));
  EXPECT_FALSE(writes_where_it_reads({"GET /a/**", "GET /b/**"}, {"PUT /a/**", "PUT /c/**"}));
}

TEST(HttpRules, T19_a_purpose_keeps_its_word_whatever_the_templates_say) {
  std::vector<std::string> templates;
  const std::vector<std::string> methods{"GET",   "PROPFIND", "REPORT", "PUT",  "MKCALENDAR", "MKCOL",
                                         "PATCH", "DELETE",   "MOVE",   "COPY", "PROPPATCH",  "LOCK"};
  for (const std::string& method : methods) templates.push_back(method + " /**");
  templates.emplace_back("POST /$batch");
  const HttpRules reads(templates, {"*"}, "backup.read"), writes(templates, {"*"}, "restore.write");
  std::set<std::string> by_reading, by_writing;
  for (const std::string& method : methods) {
    if (reads.check(method, "/a", "", "*")) by_reading.insert(method);
    if (writes.check(method, "/a", "", "*")) by_writing.insert(method);
    for (const char* other : {"journal", "directory.read", "another", ""})
      EXPECT_EQ(static_cast<bool>(HttpRules(templates, {"*"}, other).check(method, "/a", "", "*")), by_reading.contains(method))
          << other << " " << method;
  }
  EXPECT_EQ(by_reading, (std::set<std::string>{"GET", "PROPFIND", "REPORT"}));
  EXPECT_EQ(by_writing, (std::set<std::string>{"GET", "PROPFIND", "REPORT", "PUT", "MKCALENDAR", "MKCOL", "PATCH"}));
  for (const char* condition : {"", "\"etag\"", "*, *", "W/*"})
    EXPECT_FALSE(writes.check("PUT", "/a", "", condition)) << condition;
  for (const char* method : {"DELETE", "PUT"}) {
    const std::string batch = R"({"requests":[{"id":"1","method":")" + std::string(method) + R"(","url":"/a"}]})";
    EXPECT_FALSE(writes.check("POST", "/$batch", batch, "*")) << method;
    EXPECT_FALSE(reads.check("POST", "/$batch", batch, "*")) << method;
    EXPECT_FALSE(HttpRules(templates, {"*"}, "journal").check("POST", "/$batch", batch)) << method;
  }
}

TEST(HttpRules, T19_an_overwrite_names_the_one_version_that_it_writes_over) {
  std::vector<std::string> templates;
  const std::vector<std::string> methods{"GET",   "PROPFIND", "REPORT", "PUT",  "MKCALENDAR",
                                         "MKCOL", "PATCH",    "DELETE", "MOVE", "COPY"};
  for (const std::string& method : methods) templates.push_back(method + " /dav/ann/**");
  templates.emplace_back("POST /$batch");
  const HttpRules over(templates, {"*"}, "restore.overwrite");
  EXPECT_TRUE(over.check("PUT", "/dav/ann/e.ics", "", "", "\"v1\""));
  EXPECT_TRUE(over.check("PUT", "/dav/ann/e.ics", "", "*"));
  for (const char* tag : {"", "*", "\"v1\", \"v2\"", "\"v1\", *", "W/\"v1\"", "v1", "\"v1\", "})
    EXPECT_FALSE(over.check("PUT", "/dav/ann/e.ics", "", "", tag)) << tag;
  EXPECT_FALSE(over.check("PUT", "/dav/ann/e.ics", "", "\"v0\"", "\"v1\"")) << "if it is v1 and not v0";
  EXPECT_FALSE(over.check("PUT", "/dav/ann/e.ics", "", "*, \"v0\""));
  EXPECT_FALSE(over.check("PUT", "/dav/bob/e.ics", "", "", "\"v1\"")) << "templates say what passes, as ever";
  for (const char* method : {"DELETE", "MOVE", "COPY"})
    EXPECT_FALSE(over.check(method, "/dav/ann/e.ics", "", "*", "\"v1\"")) << method;
  for (const char* method : {"GET", "PROPFIND", "REPORT", "MKCALENDAR", "MKCOL", "PATCH"})
    EXPECT_TRUE(over.check(method, "/dav/ann/e.ics", "")) << method;
  const std::string batch = R"({"requests":[{"id":"1","method":"PUT","url":"/dav/ann/e.ics","headers":{"if-match":"\"v1\""}}]})";
  EXPECT_FALSE(over.check("POST", "/$batch", batch, "", "\"v1\""));
  for (const char* purpose : {"restore.write", "backup.read", "backup.prove", "journal", "directory.read", ""})
    EXPECT_FALSE(HttpRules(templates, {"*"}, purpose).check("PUT", "/dav/ann/e.ics", "", "", "\"v1\"")) << purpose;
}

TEST(HttpRules, T19_a_proof_works_in_collections_of_its_own_alone) {
  std::vector<std::string> templates;
  for (const char* method :
       {"GET", "HEAD", "PROPFIND", "REPORT", "PUT", "MKCALENDAR", "MKCOL", "PATCH", "DELETE", "MOVE", "POST"})
    templates.push_back(std::string(method) + " /**");
  const HttpRules proves(templates, {"*"}, "backup.prove");
  const std::string own = "/ann/mailhold-proof-0123456789abcdef0123456789abcdef-1";
  for (const char* method : {"MKCALENDAR", "MKCOL", "DELETE"}) {
    EXPECT_TRUE(proves.check(method, own + "/", "")) << method;
    EXPECT_TRUE(proves.check(method, own, "")) << method;
    for (const std::string& other : {std::string("/ann/work/"), std::string("/"), own + "/e.ics", own + "/work/", own + "?x=/"})
      EXPECT_FALSE(proves.check(method, other, "", "*")) << method << " " << other;
  }
  EXPECT_TRUE(proves.check("PROPFIND", "/ann/work/", ""));
  EXPECT_TRUE(proves.check("PUT", own + "/e.ics", "", "*"));
  EXPECT_FALSE(proves.check("PUT", own + "/e.ics", ""));
  EXPECT_TRUE(proves.check("GET", own + "/e.ics", ""));
  for (const std::string& other : {std::string("/ann/work/e.ics"), "/ann/work/e.ics?x=" + own + "/e.ics", own, own + "/",
                                   own + "/sub/e.ics", own + "/e.ics/"}) {
    EXPECT_FALSE(proves.check("GET", other, "")) << other;
    EXPECT_FALSE(proves.check("PUT", other, "", "*")) << other;
  }
  for (const char* method : {"HEAD", "REPORT", "PATCH", "MOVE", "POST"})
    EXPECT_FALSE(proves.check(method, own + "/e.ics", "", "*")) << method;
  for (const char* name :
       {"mailhold-proof-", "mailhold-proof-0123456789ABCDEF0123456789abcdef-1", "mailhold-proof-0123456789abcdef0123456789abcdef",
        "mailhold-proof-0123456789abcdef0123456789abcdef-", "mailhold-proof-0123456789abcdef0123456789abcdef-12345",
        "x-mailhold-proof-0123456789abcdef0123456789abcdef-1", "mailhold-proof-0123456789abcdef0123456789abcdef-1x"})
    EXPECT_FALSE(proves.check("DELETE", std::string("/ann/") + name + "/", "")) << name;
  // What the connection does not allow passes for no purpose.
  EXPECT_FALSE(HttpRules({"GET /**"}, {"*"}, "backup.prove").check("DELETE", own + "/", ""));
}

TEST(HttpRules, T19_a_batch_is_judged_part_by_part) {
  const auto batch = [](const std::string& parts) {
    return rules.check("POST", "/v1.0/$batch", R"({"requests":[)" + parts + "]}");
  };
  const std::string good = R"({"id":"1","method":"GET","url":"/users/ann@example.test/messages/1"})";
  ASSERT_TRUE(batch(good + "," + good));
  EXPECT_EQ(batch(good + "," + good)->parts, 2U);
  EXPECT_FALSE(batch(""));
  EXPECT_FALSE(batch(R"({"id":"1","method":"GET","url":"/users/eve@example.test/messages/1"})"));
  EXPECT_FALSE(batch(R"({"id":"1","method":"DELETE","url":"/users/ann@example.test/messages/1"})"));
  EXPECT_FALSE(batch(R"({"id":"1","method":"POST","url":"/$batch"})"));
  EXPECT_FALSE(batch(R"({"id":"1","method":"GET","url":"/users/ann@example.test/messages/1","headers":{"Authorization":"x"}})"));
  EXPECT_FALSE(batch(R"({"id":"1","method":"GET","url":"/users/ann@example.test/messages/1","x":1})"));
  EXPECT_FALSE(rules.check("POST", "/v1.0/$batch", R"({"requests":[],"requests":[)" + good + "]} x"));
  EXPECT_FALSE(rules.check("POST", "/v1.0/$batch?x", R"({"requests":[)" + good + "]}"));
  const auto twice =
      batch(R"({"id":"1","method":"GET","url":"/users/eve@example.test/messages/1","url":"/users/ann@example.test/messages/1"})");
  if (twice) EXPECT_EQ(twice->body.find("eve"), std::string::npos);
}

}  // namespace
}  // namespace mailhold::broker
