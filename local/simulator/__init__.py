"""Stand-ins over real HTTP for the services that the app calls: Partner Center and its token service.

`partner_center.PartnerCenterSimulator` is the server, `service` says what it answers, `connection` how an
answer (or its absence) travels, `state` what it remembers, `faults` what goes wrong on request.
"""
