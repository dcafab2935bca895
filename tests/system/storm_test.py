#!/usr/bin/python3
"""A guest that floods: the others of its network get no more of it than the limit, and go on talking."""

import time

import frame
from bed import Stream, SystemTest, main

LIMIT = 300  # frames a second, and as many at once
FRAMES = 60_000
ETHERTYPE = 0x88B6
UNKNOWN = "02:00:00:ff:ff:ff"


class Storm(SystemTest):
    def test_a_storm_costs_the_others_no_more_than_the_limit_and_their_unicast_goes_on(self):
        host = self.host(start=False)
        host.start("--flood-limit", str(LIMIT))
        bridge = host.create_bridge()
        stormy, storm = self.plugged(host, bridge, "s0")
        talking, a = self.plugged(host, bridge, "a0")
        _, b = self.plugged(host, bridge, "b0")
        _, bystander = self.plugged(host, bridge, "c0")
        for each in (a, b):
            each.send(frame.BROADCAST, b"here I am")  # known from now on
        before = self.drops(host, stormy)
        since = time.monotonic()
        with Stream(a, b) as stream, Stream(b, a) as back:
            for number in range(0, FRAMES, 2):
                storm.send(frame.BROADCAST, number.to_bytes(8, "big"), ETHERTYPE)
                storm.send(UNKNOWN, (number + 1).to_bytes(8, "big"), ETHERTYPE)
            seconds = time.monotonic() - since
            stream.wait_for(200), back.wait_for(200)
        heard = set()
        while (got := bystander.receive(0.3, ETHERTYPE)) is not None:
            heard.add(int.from_bytes(got.payload[:8], "big"))
        dropped = self.drops(host, stormy) - before
        print(f"{FRAMES} frames in {seconds:.2f} s: {len(heard)} heard, {dropped} dropped")
        self.assertEqual(len(heard) + dropped, FRAMES)
        self.assertGreaterEqual(len(heard), LIMIT)
        self.assertLessEqual(len(heard), LIMIT * (1 + seconds) + 1)
        for each in (stream, back):
            self.assertEqual((each.lost(), each.doubled()), ([], 0))
        self.assertEqual(self.drops(host, talking), 0)
        self.assertIn(
            f'midonet_port_drops_total{{port="{stormy}",reason="flood_limit"}} {dropped + before}', host.agent_metrics()
        )

    @staticmethod
    def drops(host, port):
        status = next(one for one in host.agent_status()["ports"] if one["portId"] == port)
        return status["counters"]["drops"].get("flood_limit", 0)


if __name__ == "__main__":
    main()
