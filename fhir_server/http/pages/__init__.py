"""The portal: pages for people, by who reads them. Text and layout; every query is in application/ or oauth/."""
