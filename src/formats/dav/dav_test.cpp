#include <gtest/gtest.h>

#include "base/log.h"
#include "formats/dav/dav_path.h"
#include "formats/dav/dav_request.h"
#include "formats/dav/multistatus.h"

namespace mailhold::dav {
namespace {

TEST(DavPath, has_one_spelling) {
  const std::pair<const char*, const char*> cases[] = {{"/a/b.ics", "/a/b.ics"},    {"https://h.example:8443/a/", "/a/"},
                                                       {"https://h.example", "/"},  {" /a%20b/c%40d ", "/a%20b/c@d"},
                                                       {"/a b/ä", "/a%20b/%C3%A4"}, {"//a//b", "/a/b"},
                                                       {"/a%2fb", "/a%2Fb"},        {"/100%/x?y#z", "/100%25/x"}};
  for (const auto& [href, path] : cases) {
    EXPECT_EQ(path_of_href(href), path) << href;
    EXPECT_EQ(path_of_href(path), path) << path;
  }
  for (const char* href : {"", "a/b", "/a/../b", "/a/%2e%2e/b", "/./", "/..", "mailto:x"})
    EXPECT_FALSE(path_of_href(href)) << href;
  EXPECT_FALSE(path_of_href("/" + std::string(5000, 'a')));
  EXPECT_FALSE(path_of_href("/" + std::string(3000, ' ') + "b"));
  EXPECT_EQ(name_in_path("/a/b.ics"), "b.ics");
  EXPECT_EQ(name_in_path("/a/b/"), "b");
  EXPECT_EQ(name_in_path("/"), "");
  EXPECT_EQ(decoded("a%20%C3%A4%FF"), "a ä\xEF\xBF\xBD");
}

constexpr std::string_view head =
    "<?xml version=\"1.0\"?><m:multistatus xmlns:m=\"DAV:\" xmlns:c=\"urn:ietf:params:xml:ns:caldav\">";

TEST(Multistatus, is_read_by_namespace_and_status) {
  const auto answer = read_multistatus(
      std::string(head) +
      "<m:response><m:href>https://h/c/</m:href><m:propstat><m:prop><m:resourcetype><m:collection/><c:calendar/></m:resourcetype>"
      "<m:displayname>A &amp; B</m:displayname><x:displayname xmlns:x=\"urn:other\">no</x:displayname><m:sync-token> t "
      "</m:sync-token></m:prop>"
      "<m:status>HTTP/1.1 200 OK</m:status></m:propstat><m:propstat><m:prop><m:getetag>not "
      "there</m:getetag></m:prop><m:status>HTTP/1.1 404 Not Found</m:status>"
      "</m:propstat></m:response>"
      "<response xmlns=\"DAV:\"><href>/c/gone.ics</href><href>/c/gone%20too.ics</href><status>HTTP/1.1 404 Not "
      "Found</status></response>"
      "<m:response><m:href>/c/a.ics</m:href><m:propstat><m:prop><c:calendar-data>BEGIN:X\r\nA&#13;\nB<![CDATA[<&>]]></"
      "c:calendar-data><m:getetag>\"1\"</m:getetag>"
      "<m:getcontentlength>12</m:getcontentlength></m:prop><m:status>HTTP/1.1 200 OK</m:status></m:propstat></m:response>"
      "<m:response><m:href>relative</m:href></m:response><m:sync-token>next</m:sync-token></m:multistatus>");
  ASSERT_TRUE(answer) << answer.error().detail;
  ASSERT_EQ(answer->resources.size(), 4U);
  EXPECT_EQ(answer->sync_token, "next");
  const Resource& collection = answer->resources[0];
  EXPECT_TRUE(collection.is_collection && collection.is_calendar && !collection.is_address_book);
  EXPECT_EQ(collection.path, "/c/");
  EXPECT_EQ(collection.display_name, "A & B");
  EXPECT_EQ(collection.sync_token, "t");
  EXPECT_FALSE(collection.etag);
  EXPECT_EQ(answer->resources[1].status, 404);
  EXPECT_EQ(answer->resources[1].path, "/c/gone%20too.ics");
  EXPECT_EQ(answer->resources[2].path, "/c/gone.ics");
  EXPECT_EQ(answer->resources[3].content, "BEGIN:X\r\nA\r\nB<&>");
  EXPECT_EQ(answer->resources[3].length, 12U);
}

TEST(Multistatus, what_is_none_is_refused) {
  const auto kind_of = [](const std::string& text, const XmlLimits& limits = {}) {
    const auto answer = read_multistatus(text, limits);
    return answer ? std::string("taken") : std::string(name_of(answer.error().kind));
  };
  const std::string whole = std::string(head) + "</m:multistatus>";
  EXPECT_EQ(kind_of(whole), "taken");
  const std::string corrupt(name_of(ErrorKind::corrupt)), limit(name_of(ErrorKind::limit_exceeded));
  for (const char* text : {"", "no XML", "<a/>", "<multistatus/>", "<x:multistatus xmlns:x=\"urn:x\"/>",
                           "<multistatus xmlns=\"DAV:\">", "<!DOCTYPE m [<!ENTITY a \"b\">]><m:multistatus xmlns:m=\"DAV:\"/>",
                           "<!DOCTYPE m SYSTEM \"file:///etc/passwd\"><m:multistatus xmlns:m=\"DAV:\"/>"})
    EXPECT_EQ(kind_of(text), corrupt) << text;
  std::string deep, wide;
  for (int i = 0; i < 100; ++i) deep += "<a>";
  for (int i = 0; i < 100; ++i) deep += "</a>";
  for (int i = 0; i < 100; ++i) wide += "<a/>";
  EXPECT_EQ(kind_of(std::string(head) + deep + "</m:multistatus>"), limit);
  EXPECT_EQ(kind_of(std::string(head) + wide + "</m:multistatus>", {.elements_max = 40}), limit);
  EXPECT_EQ(kind_of(whole, {.bytes_max = 10}), limit);
  // No entity but those of XML itself means anything.
  const auto answer = read_multistatus(std::string(head) + "<m:sync-token>&file;&amp;</m:sync-token></m:multistatus>");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->sync_token, "&file;&");
}

TEST(Multistatus, preconditions_of_errors_are_known) {
  EXPECT_TRUE(names_precondition("<d:error xmlns:d=\"DAV:\"><d:valid-sync-token/></d:error>", "valid-sync-token"));
  EXPECT_FALSE(names_precondition("<d:error xmlns:d=\"DAV:\"><d:other/></d:error>", "valid-sync-token"));
  for (const std::string space : {"urn:ietf:params:xml:ns:caldav", "urn:ietf:params:xml:ns:carddav"})
    EXPECT_TRUE(
        names_precondition("<error xmlns=\"DAV:\"><C:no-uid-conflict xmlns:C=\"" + space + "\"/></error>", "no-uid-conflict"));
  EXPECT_FALSE(names_precondition("<error xmlns=\"DAV:\"><C:no-uid-conflict xmlns:C=\"urn:x\"/></error>", "no-uid-conflict"));
  EXPECT_FALSE(names_precondition("<error><valid-sync-token/></error>", "valid-sync-token"));
  EXPECT_FALSE(names_precondition("Forbidden", "valid-sync-token"));
}

TEST(DavRequest, carries_any_text) {
  EXPECT_NE(write_make_calendar("A <&> \x01 ä").find("<D:displayname>A &lt;&amp;&gt;  ä</D:displayname>"), std::string::npos);
  EXPECT_NE(write_sync_collection("a&b", 5).find("<D:sync-token>a&amp;b</D:sync-token>"), std::string::npos);
  EXPECT_EQ(write_sync_collection("a", 0).find("limit"), std::string::npos);
}

}  // namespace
}  // namespace mailhold::dav
