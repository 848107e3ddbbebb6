"""The README of an archive, in French and English: what is in it, how to check it, and what to be careful about."""

README = """\
COPIE DE VOTRE ESPACE DE SANTÉ

Cette archive contient ce que vous pouviez voir dans cet espace au moment où vous l'avez demandée.
Un parent, un représentant ou un adolescent ne reçoit que ce qu'il peut voir lui-même.

  resources/   vos documents (leur description), vos choix sur les accès (accords, blocages), les personnes et les
               établissements que cela nomme, et les avis ; un fichier par type, une ressource FHIR R4 par ligne
  journal/     qui a accédé à l'espace, quand et pourquoi, jusqu'au moment de la copie
  files/       le contenu de vos documents, chacun sous l'identifiant que son document indique
  manifest.json   la taille et l'empreinte SHA-256 de chaque fichier

Vérifier : l'empreinte de chaque fichier doit être celle du manifeste (par exemple « sha256sum files/* »).
Si une seule diffère, l'archive a été modifiée ou abîmée.

Cette archive n'est pas chiffrée : gardez-la comme vos ordonnances, et ne la déposez pas sur un ordinateur partagé.
Un autre serveur Habilis peut la reprendre : il dépose alors vos documents comme apportés par vous.

------------------------------------------------------------------------------------------------------------------------

A COPY OF YOUR HEALTH SPACE

This archive holds what you could see in this space when you asked for it.
A parent, a representative or a teenager gets only what they may see themselves.

  resources/   your documents (their description), your choices about access (agreements, blocks), the people and
               establishments that these name, and notices; one file for each type, one FHIR R4 resource a line
  journal/     who had access to the space, when and why, until the moment of the copy
  files/       the contents of your documents, each under the id that its document states
  manifest.json   the size and the SHA-256 of each file

To check: the SHA-256 of each file must be that of the manifest (for instance "sha256sum files/*").
If a single one differs, the archive was changed or damaged.

This archive is not encrypted: keep it like your prescriptions, and do not leave it on a shared computer.
Another Habilis server can take it over: it then files your documents as brought by you.
"""
"""The text, in UTF-8."""
