#include "cli/testdata.h"

#include "base/json.h"
#include "cli/age.h"

namespace midonet::cli::testdata {

Json hosts() {
  return Json::parse(R"([
    {"id": "11111111-0000-0000-0000-00000000000a", "name": "cmp1", "alive": true, "addresses": ["10.0.0.1", "fe80::1"],
     "floodingProxyWeight": 1, "uri": "http://a/hosts/1"},
    {"id": "22222222-0000-0000-0000-00000000000b", "name": "cmp2", "alive": false, "addresses": [],
     "floodingProxyWeight": 1, "uri": "http://a/hosts/2"}])");
}

Json bridges() {
  return Json::parse(R"([
    {"id": "bbbb0001-0000-0000-0000-000000000000", "name": "db", "tenantId": "acme", "vni": 2, "adminStateUp": true,
     "inboundFilterId": null, "uri": "http://a/bridges/1"},
    {"id": "bbbb0002-0000-0000-0000-000000000000", "name": "web", "tenantId": "", "vni": 1, "adminStateUp": false,
     "inboundFilterId": null, "uri": "http://a/bridges/2"}])");
}

Json ports() {
  return Json::parse(R"([
    {"id": "dddd0001-0000-0000-0000-000000000000", "deviceId": "bbbb0002-0000-0000-0000-000000000000",
     "hostId": "11111111-0000-0000-0000-00000000000a", "interfaceName": "tap1", "macAddress": "02:00:00:00:00:01",
     "adminStateUp": true, "vlanId": null, "active": true,
     "status": {"state": "active", "reason": "", "revision": 7, "since": "2026-03-01T11:57:00.000Z"}},
    {"id": "dddd0002-0000-0000-0000-000000000000", "deviceId": "bbbb0001-0000-0000-0000-000000000000",
     "hostId": "11111111-0000-0000-0000-00000000000a", "interfaceName": "tap2", "macAddress": null,
     "adminStateUp": true, "vlanId": null, "active": false,
     "status": {"state": "error", "reason": "tap2 is a port of the bridge br0", "revision": 8,
                "since": "2026-03-01T11:59:48.000Z"}},
    {"id": "dddd0003-0000-0000-0000-000000000000", "deviceId": "bbbb0002-0000-0000-0000-000000000000",
     "hostId": "22222222-0000-0000-0000-00000000000b", "interfaceName": "tap3", "macAddress": null,
     "adminStateUp": true, "vlanId": null, "active": false,
     "status": {"state": "pending-host", "reason": "", "revision": 9, "since": null}},
    {"id": "dddd0004-0000-0000-0000-000000000000", "deviceId": "bbbb0002-0000-0000-0000-000000000000",
     "hostId": null, "interfaceName": null, "macAddress": null, "adminStateUp": true, "vlanId": null, "active": false,
     "status": {"state": "unbound", "reason": "", "revision": 0, "since": null}}])");
}

Look look(Format format) { return {format, false, *parse_rfc3339("2026-03-01T12:00:00Z")}; }

}  // namespace midonet::cli::testdata
