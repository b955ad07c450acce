#include <cstdlib>

#include "formats/dav/dav_path.h"
#include "formats/dav/multistatus.h"
#include "fuzz_seeds.h"

using namespace mailhold;

std::vector<std::string> fuzz_seeds() {
  return {
      "<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\" "
      "xmlns:C=\"urn:ietf:params:xml:ns:caldav\"><D:response><D:href>/c/a%20b.ics</D:href>"
      "<D:propstat><D:prop><D:getetag>\"1\"</D:getetag><C:calendar-data>BEGIN:VCALENDAR&#13;\n</"
      "C:calendar-data><D:getcontentlength>12"
      "</D:getcontentlength></D:prop><D:status>HTTP/1.1 200 "
      "OK</D:status></D:propstat></D:response><D:sync-token>t</D:sync-token></D:multistatus>",
      "<multistatus xmlns=\"DAV:\"><response><href>https://h/c/</href><href>/d</href><status>HTTP/1.1 404 "
      "Gone</status></response><response>"
      "<href>/u/</href><propstat><status>HTTP/1.1 200 "
      "OK</status><prop><resourcetype><collection/></resourcetype><supported-report-set>"
      "<supported-report><report><sync-collection/></report></supported-report></supported-report-set></prop></propstat></"
      "response></multistatus>",
      "<D:error xmlns:D=\"DAV:\"><D:valid-sync-token/></D:error>", "/dav/cal/a%20b.ics", "https://h.example/dav/"};
}

std::vector<std::string> fuzz_words() {
  return {"<D:response>",
          "</D:response>",
          "<D:href>",
          "xmlns:D=\"DAV:\"",
          "HTTP/1.1 200 OK",
          "<!DOCTYPE a [",
          "<!ENTITY a \"b\">",
          "&a;",
          "%2F",
          "/..",
          "/%2e%2e",
          "..",
          "<![CDATA["};
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto answer = dav::read_multistatus(bytes)) {
    for (const dav::Resource& resource : answer->resources) {
      // One spelling: what was read stays what it is when it is read again, and leads nowhere else.
      if (dav::path_of_href(resource.path) != resource.path || resource.path.find("/../") != std::string::npos) std::abort();
      if (resource.path.size() > dav::path_bytes_max) std::abort();
    }
  }
  (void)dav::names_precondition(bytes, "valid-sync-token");
  if (const auto path = dav::path_of_href(bytes)) {
    if (dav::path_of_href(*path) != path || (*path + "/").find("/../") != std::string::npos) std::abort();
  }
  return 0;
}
